"""What can be set about how a journal is written, and what is captured beside it: by argument, else by environment.

    argument of Board       variable                            value
    journal                 KOHAKUBOARD_JOURNAL                 "mapped" or "write"; default: as the file system allows
    sync_every_s            KOHAKUBOARD_SYNC_EVERY_S            seconds, 0 or more; default 5
    journal_limit_bytes     KOHAKUBOARD_JOURNAL_LIMIT           8 MiB or more; the variable takes 4GiB, 500MB or bytes;
                                                                default 4 GiB
    webhook                 KOHAKUBOARD_WEBHOOK                 where alerts are sent, see webhook; default: nowhere
    system_metrics_every_s  KOHAKUBOARD_SYSTEM_METRICS_EVERY_S  seconds; default 5; 0: no system metrics
    capture_environment     KOHAKUBOARD_CAPTURE_ENVIRONMENT     whether to note machine, command, packages and variables
    capture_git             KOHAKUBOARD_CAPTURE_GIT             whether to note commit, branch, remote and diff

A wrong argument is an error where the board is made. A wrong variable may come from far away and must not end
training: a warning names it, and the default is used. The background writer gets all of them through its environment.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from operator import index
from typing import Final, NamedTuple, TypeVar

from ..errors import SettingError
from .filesystem import JOURNAL_VARIABLE, WAYS
from .room import JOURNAL_LIMIT_BYTES, LEAST_LIMIT_BYTES
from .webhook import WEBHOOK_VARIABLE, Webhook, read_webhook

__all__ = [
    "LIMIT_VARIABLE",
    "SYNC_EVERY_S",
    "SYNC_VARIABLE",
    "SYSTEM_METRICS_EVERY_S",
    "Settings",
    "settings",
]

log = logging.getLogger("kohakuboard")

SYNC_VARIABLE: Final = "KOHAKUBOARD_SYNC_EVERY_S"
SYNC_EVERY_S: Final = 5.0
LIMIT_VARIABLE: Final = "KOHAKUBOARD_JOURNAL_LIMIT"
SYSTEM_VARIABLE: Final = "KOHAKUBOARD_SYSTEM_METRICS_EVERY_S"
SYSTEM_METRICS_EVERY_S: Final = 5.0
ENVIRONMENT_VARIABLE: Final = "KOHAKUBOARD_CAPTURE_ENVIRONMENT"
GIT_VARIABLE: Final = "KOHAKUBOARD_CAPTURE_GIT"

Value = TypeVar("Value")

_SWITCHES: Final = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?\s*", re.IGNORECASE)


class Settings(NamedTuple):
    """Hold what is in force: `journal` is "mapped", "write", or None for what the file system allows.

    `system_metrics_every_s` is 0 where none are wanted.
    """

    journal: str | None
    sync_every_s: float
    journal_limit_bytes: int = JOURNAL_LIMIT_BYTES
    webhook: Webhook | None = None
    system_metrics_every_s: float = SYSTEM_METRICS_EVERY_S
    capture_environment: bool = True
    capture_git: bool = True

    def environment(self) -> dict[str, str]:
        """Return the variables that tell the background writer."""
        return {
            JOURNAL_VARIABLE: self.journal or "",
            SYNC_VARIABLE: str(self.sync_every_s),
            LIMIT_VARIABLE: str(self.journal_limit_bytes),
            WEBHOOK_VARIABLE: self.webhook.text if self.webhook else "",
            SYSTEM_VARIABLE: str(self.system_metrics_every_s),
            ENVIRONMENT_VARIABLE: str(int(self.capture_environment)),
            GIT_VARIABLE: str(int(self.capture_git)),
        }


def settings(
    journal: str | None = None,
    sync_every_s: float | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    journal_limit_bytes: int | None = None,
    webhook: str | None = None,
    system_metrics_every_s: float | None = None,
    capture_environment: bool | None = None,
    capture_git: bool | None = None,
) -> Settings:
    """Return what arguments and environment say. Raises SettingError for an argument that cannot be used."""

    def found(
        name: str,
        argument: object,
        read: Callable[[str, object], Value],
        variable: str,
        default: Value,
        otherwise: str,
        read_text: Callable[[str, str], Value] | None = None,
    ) -> Value:
        if argument is not None:
            return read(name, argument)
        try:
            text = environment.get(variable)
            return (read_text or read)(variable, text) if text else default
        except SettingError as exc:
            log.warning("%s; %s", exc, otherwise)
            return default

    seconds, gib = f"{SYNC_EVERY_S:g} is used", f"{JOURNAL_LIMIT_BYTES >> 30} GiB is used"
    limit, every_s, as_usual = journal_limit_bytes, system_metrics_every_s, "it is captured"
    return Settings(
        found("journal", journal, _way, JOURNAL_VARIABLE, None, "the file system decides"),
        found("sync_every_s", sync_every_s, _seconds, SYNC_VARIABLE, SYNC_EVERY_S, seconds),
        found("journal_limit_bytes", limit, _limit, LIMIT_VARIABLE, JOURNAL_LIMIT_BYTES, gib, _limit_text),
        found("webhook", webhook, read_webhook, WEBHOOK_VARIABLE, None, "alerts are not sent"),
        found("system_metrics_every_s", every_s, _seconds, SYSTEM_VARIABLE, SYSTEM_METRICS_EVERY_S, seconds),
        found(
            "capture_environment", capture_environment, _truth, ENVIRONMENT_VARIABLE, True, as_usual, _switch
        ),
        found("capture_git", capture_git, _truth, GIT_VARIABLE, True, as_usual, _switch),
    )


def _way(name: str, value: object) -> str | None:
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


def _limit(name: str, value: object) -> int:
    try:
        size = index(value)  # type: ignore[arg-type]
    except TypeError:
        size = 0
    if isinstance(value, bool) or size < LEAST_LIMIT_BYTES:
        cure = (
            f"set it to a whole number of bytes, {LEAST_LIMIT_BYTES} ({LEAST_LIMIT_BYTES >> 20} MiB) or more"
        )
        raise SettingError(name, value, f"{cure}, or leave it out")
    return size


def _truth(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise SettingError(name, value, "set it to True or False, or leave it out")


def _switch(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in _SWITCHES:
        raise SettingError(name, text, "set it to 1 or 0, or leave it out")
    return _SWITCHES[word]


def _limit_text(name: str, text: str) -> int:
    """Read a size: 500MB is 500 · 1000², 4GiB is 4 · 1024³."""
    match = _SIZE.fullmatch(text)
    power = "kmgt".find((match[2] or "").lower()) + 1 if match and match[2] else 0
    size = int(float(match[1]) * (1024 if match[3] else 1000) ** power) if match else 0
    if size < LEAST_LIMIT_BYTES:
        cure = f"set it to a size of {LEAST_LIMIT_BYTES >> 20} MiB or more, such as 500MB or 4GiB, or leave it out"
        raise SettingError(name, text, cure)
    return size
