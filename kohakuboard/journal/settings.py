"""What can be set about how a journal is written and how soon it is on the disk: by argument, else by environment.

    argument of Board   variable                   value
    journal             KOHAKUBOARD_JOURNAL        "mapped" or "write"; default: what the file system allows
    sync_every_s        KOHAKUBOARD_SYNC_EVERY_S   seconds, 0 or more; default 5

A wrong argument is an error where the board is made. A wrong variable may come from far away and must not end
training: a warning names it, and the default is used. The background writer gets both through its environment.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..errors import SettingError
from .filesystem import JOURNAL_VARIABLE, WAYS

__all__ = ["SYNC_EVERY_S", "SYNC_VARIABLE", "Settings", "settings"]

log = logging.getLogger("kohakuboard")

SYNC_VARIABLE: Final = "KOHAKUBOARD_SYNC_EVERY_S"
SYNC_EVERY_S: Final = 5.0


class Settings(NamedTuple):
    """Hold what is in force: `journal` is "mapped", "write", or None for what the file system allows."""

    journal: str | None
    sync_every_s: float

    def environment(self) -> dict[str, str]:
        """Return the variables that tell the background writer."""
        return {JOURNAL_VARIABLE: self.journal or "", SYNC_VARIABLE: str(self.sync_every_s)}


def settings(
    journal: str | None = None,
    sync_every_s: float | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Return what arguments and environment say. Raises SettingError for an argument that cannot be used."""
    way = _way("journal", journal) if journal is not None else None
    seconds = _seconds("sync_every_s", sync_every_s) if sync_every_s is not None else None
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
    return Settings(way, SYNC_EVERY_S if seconds is None else seconds)


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
