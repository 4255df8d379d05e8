"""Serve the viewer from this machine, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from .app import create_app
from .guard import hosts_of

__all__ = ["DEFAULT_PORT", "bound", "serve"]

DEFAULT_PORT: Final = 48889


def serve(
    workspace_root: Path,
    *,
    start_path: str = "/",
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = False,
    announce: Callable[[str], None],
) -> None:
    """Serve the runs under a root until Ctrl-C or SIGTERM.

    Without a port it is DEFAULT_PORT, or a free one where that is taken. Each `announce`d line is one
    sentence for the user, the last the page's address. Raises OSError when the address cannot be listened on.
    """
    with _listen(host, port, announce) as listener:
        address = _address(host, listener.getsockname()[1]) + start_path
        announce(f"showing {workspace_root} at {address} (Ctrl-C ends it)")
        if open_browser and _has_screen():
            # Aside, since some browsers are waited for until they close.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        app = create_app(workspace_root, hosts=hosts_of(host))
        # Idle connections are closed at once; this is how long a request in work may take to end.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int | None, announce: Callable[[str], None]) -> socket.socket:
    """Return a listening socket, so that the address is right before anything is told of it."""
    if port is not None:
        return bound(host, port)
    try:
        return bound(host, DEFAULT_PORT)
    except OSError:
        listener = bound(host, 0)
    announce(f"port {DEFAULT_PORT} is taken; using {listener.getsockname()[1]}")
    return listener


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address. Raises OSError.

    It names its protocol, by which asyncio knows to set TCP_NODELAY on its connections: an answer's head and body are
    two writes, and without it the body waits up to 40 ms until the browser has acknowledged the head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # there it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as exc:
        listener.close()
        raise OSError(exc.errno, f"cannot listen on {_address(host, port)} ({exc.strerror})") from exc
    return listener


def _address(host: str, port: int) -> str:
    """Return the address to open in a browser."""
    named = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"


def _has_screen() -> bool:
    """Tell whether a browser would open a window, and not take over the terminal."""
    if sys.platform.startswith("linux"):
        return bool(
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
        )
    return True
