"""Stand between the network and the app: refuse foreign hosts, and tell browsers what pages may do.

A page on the web can make its own name point to 127.0.0.1 and then read a local server as if it were its own
(DNS rebinding). The browser still sends that name as Host, so that only the names under which the server was
opened are answered. A page of another site can also send requests here without reading the answers: what browsers say
of the sender, Origin and Sec-Fetch-Site, must be one of our own pages.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOCAL_HOSTS", "SECURITY_HEADERS", "Guard", "hosts_of"]

LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})

_LONGEST_URL: Final = 16_384
_SAFE: Final = frozenset({"GET", "HEAD"})
# Frames of figures are of no origin, and draw with these; there is no secret in them.
_OPEN: Final = "/static/"
_OWN_SITES: Final = frozenset({"same-origin", "none"})  # none: typed into the address bar

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; frame-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with that browsers send our own forms with the Origin "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Answer only requests for the given hosts, and put the security headers on every answer.

    With "*" among the hosts, every host that is an IP address is answered too: rebinding needs a name.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)  # what a user logged is sent with a stricter policy
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, guarded_send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if not self._is_welcome(host):
            words = f"this viewer does not answer for the host {host!r}; open it as localhost\n"
            return PlainTextResponse(words, 400)
        if not _is_own(headers) and not (scope["method"] in _SAFE and scope["path"].startswith(_OPEN)):
            return PlainTextResponse("another site sent this request, and has no business here\n", 403)
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > _LONGEST_URL:
            return PlainTextResponse(f"an address has {_LONGEST_URL} characters at most\n", 414)
        if scope["method"] not in _SAFE and headers.get("sec-fetch-site", "same-origin") not in _OWN_SITES:
            return PlainTextResponse("another site sent this form, and has no business here\n", 403)
        return None

    def _is_welcome(self, host: str) -> bool:
        return host in self._hosts or ("*" in self._hosts and _is_address(host))


def hosts_of(bound: str) -> frozenset[str]:
    """Return the hosts to answer for when listening on an address; on all addresses, any that is one."""
    if bound in _ANY_ADDRESS:
        return LOCAL_HOSTS | {"*", socket.gethostname().lower()}
    return LOCAL_HOSTS | {bound.lower()}


def _is_own(headers: Headers) -> bool:
    """Tell whether a request is made by a page of ours, or by no page, as far as its Origin tells."""
    origin = headers.get("origin")
    if origin is None:
        return True
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == headers.get("host", "").lower()


def _name(header: str) -> str:
    """Return the host of a Host header without its port and the brackets of IPv6."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].rstrip(".").lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
