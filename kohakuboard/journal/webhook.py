"""Name the webhook that alerts are sent to. Its address is a secret: whoever knows it can post there.

    https://hooks.slack.com/services/…        Slack
    https://discord.com/api/webhooks/…        Discord
    https://anything.else/…                   plain JSON
    slack+https://chat.example.org/hooks/…    what another server takes: slack+, discord+ or json+ before the address

It comes by argument or from KOHAKUBOARD_WEBHOOK, reaches the background writer through its environment, and is neither
stored nor said: errors and `repr` name the host alone.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Final, NamedTuple

from ..errors import SettingError

__all__ = ["WEBHOOK_VARIABLE", "Webhook", "read_webhook", "take_webhook"]

WEBHOOK_VARIABLE: Final = "KOHAKUBOARD_WEBHOOK"
KINDS: Final = ("slack", "discord", "json")
_HOSTS: Final = {"hooks.slack.com": "slack", "discord.com": "discord", "discordapp.com": "discord"}
_CURE: Final = (
    "set it to an address that begins with https:// or http://, before it slack+, discord+ or json+ where the address "
    "does not tell which, or leave it out"
)


class Webhook(NamedTuple):
    """Say where alerts go, and what is understood there: slack, discord or json."""

    kind: str
    url: str
    host: str

    def __repr__(self) -> str:
        return f"<Webhook of {self.host} for {self.kind}>"

    @property
    def text(self) -> str:
        """Return what `read_webhook` makes it of."""
        return f"{self.kind}+{self.url}"


def read_webhook(name: str, value: object) -> Webhook | None:
    """Return the webhook that a setting names, None for an empty one. Raises SettingError, which does not show it."""
    # Here, and not at the top: most boards have none.
    from urllib.parse import urlsplit

    if value == "":
        return None
    text = value.strip() if isinstance(value, str) else ""
    kind, plus, url = text.partition("+")
    if not (plus and kind in KINDS):
        kind, url = "", text
    host = ""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("https", "http") and parts.port != 0:
            host = (parts.hostname or "").lower()
    except ValueError:
        pass
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise SettingError(name, "…", _CURE)
    return Webhook(kind or _HOSTS.get(host, "json"), url, host)


def take_webhook(environment: MutableMapping[str, str] = os.environ) -> Webhook | None:
    """Return what the environment names, and take it away there, so that nobody stores or inherits it."""
    try:
        return read_webhook(WEBHOOK_VARIABLE, environment.pop(WEBHOOK_VARIABLE, ""))
    except SettingError:
        return None
