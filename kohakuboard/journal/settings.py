"""What can be set about how a journal is written and how soon it is on the disk: by argument, else by environment.

    argument of Board   variable                   value
    journal             KOHAKUBOARD_JOURNAL        "mapped" or "write"; default: what the file system allows
    sync_every_s        KOHAKUBOARD_SYNC_EVERY_S   seconds, 0 or more; default 5
    journal_limit_bytes KOHAKUBOARD_JOURNAL_LIMIT  8 MiB or more; the variable takes 4GiB, 500MB or bytes; default 4 GiB
    webhook             KOHAKUBOARD_WEBHOOK        where alerts are sent, see webhook; default: nowhere

A wrong argument is an error where the board is made. A wrong variable may come from far away and must not end
training: a warning names it, and the default is used. The background writer gets all of them through its environment.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from operator import index
from typing import Final, NamedTuple

from ..errors import SettingError
from .filesystem import JOURNAL_VARIABLE, WAYS
from .room import JOURNAL_LIMIT_BYTES, LEAST_LIMIT_BYTES
from .webhook import WEBHOOK_VARIABLE, Webhook, read_webhook

__all__ = ["LIMIT_VARIABLE", "SYNC_EVERY_S", "SYNC_VARIABLE", "Settings", "settings"]

log = logging.getLogger("kohakuboard")

SYNC_VARIABLE: Final = "KOHAKUBOARD_SYNC_EVERY_S"
SYNC_EVERY_S: Final = 5.0
LIMIT_VARIABLE: Final = "KOHAKUBOARD_JOURNAL_LIMIT"

_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?\s*", re.IGNORECASE)


class Settings(NamedTuple):
    """Hold what is in force: `journal` is "mapped", "write", or None for what the file system allows."""

    journal: str | None
    sync_every_s: float
    journal_limit_bytes: int = JOURNAL_LIMIT_BYTES
    webhook: Webhook | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables that tell the background writer."""
        return {
            JOURNAL_VARIABLE: self.journal or "",
            SYNC_VARIABLE: str(self.sync_every_s),
            LIMIT_VARIABLE: str(self.journal_limit_bytes),
            WEBHOOK_VARIABLE: self.webhook.text if self.webhook else "",
        }


def settings(
    journal: str | None = None,
    sync_every_s: float | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    journal_limit_bytes: int | None = None,
    webhook: str | None = None,
) -> Settings:
    """Return what arguments and environment say. Raises SettingError for an argument that cannot be used."""
    way = _way("journal", journal) if journal is not None else None
    seconds = _seconds("sync_every_s", sync_every_s) if sync_every_s is not None else None
    limit = _limit(journal_limit_bytes) if journal_limit_bytes is not None else None
    hook = read_webhook("webhook", webhook) if webhook is not None else None
    try:
        if way is None and (text := environment.get(JOURNAL_VARIABLE)):
            way = _way(JOURNAL_VARIABLE, text)
    except SettingError as exc:
        log.warning("%s; the file system decides", exc)
    try:
        if seconds is None and (text := environment.get(SYNC_VARIABLE)):
            seconds = _seconds(SYNC_VARIABLE, text)
    except SettingError as exc:
        log.warning("%s; %g is used", exc, SYNC_EVERY_S)
    try:
        if limit is None and (text := environment.get(LIMIT_VARIABLE)):
            limit = _limit_text(text)
    except SettingError as exc:
        log.warning("%s; %d GiB is used", exc, JOURNAL_LIMIT_BYTES >> 30)
    try:
        if webhook is None:
            hook = read_webhook(WEBHOOK_VARIABLE, environment.get(WEBHOOK_VARIABLE, ""))
    except SettingError as exc:
        log.warning("%s; alerts are not sent", exc)
    return Settings(
        way,
        SYNC_EVERY_S if seconds is None else seconds,
        JOURNAL_LIMIT_BYTES if limit is None else limit,
        hook,
    )


def _way(name: str, value: object) -> str:
    if isinstance(value, str) and value in WAYS:
        return value
    raise SettingError(name, value, "set it to 'mapped' or 'write', or leave it out")


def _seconds(name: str, value: object) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise SettingError(name, value, "set it to a number of seconds, 0 or more, or leave it out")
    return seconds


def _limit(value: object) -> int:
    try:
        size = index(value)  # type: ignore[arg-type]
    except TypeError:
        size = 0
    if isinstance(value, bool) or size < LEAST_LIMIT_BYTES:
        cure = (
            f"set it to a whole number of bytes, {LEAST_LIMIT_BYTES} ({LEAST_LIMIT_BYTES >> 20} MiB) or more"
        )
        raise SettingError("journal_limit_bytes", value, f"{cure}, or leave it out")
    return size


def _limit_text(text: str) -> int:
    """Read a size: 500MB is 500 · 1000², 4GiB is 4 · 1024³."""
    match = _SIZE.fullmatch(text)
    power = "kmgt".find((match[2] or "").lower()) + 1 if match and match[2] else 0
    size = int(float(match[1]) * (1024 if match[3] else 1000) ** power) if match else 0
    if size < LEAST_LIMIT_BYTES:
        cure = f"set it to a size of {LEAST_LIMIT_BYTES >> 20} MiB or more, such as 500MB or 4GiB, or leave it out"
        raise SettingError(LIMIT_VARIABLE, text, cure)
    return size
