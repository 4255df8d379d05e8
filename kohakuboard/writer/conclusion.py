"""Give a run its true status, and leave it as it is kept.

A status that was told stands: by `finish`, by a context, by an uncaught exception. What was told at the trainer's exit
is one side of it only, as Python does not say there what sys.exit was given, or that the shutdown crashes: when the
trainer is gone, its exit code has the last word over a "finished". Of a trainer that went without a word, all is told
by its exit code or signal; where that cannot be known, the run crashed. Who ends with exit code 0 while something is
under way, such as a training, was interrupted.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..journal.console import NOTE, console_path, parse_line, read_lines, wait_until_complete
from ..journal.ending import cut_short
from ..journal.process import host_name, is_alive
from .exit_status import Ending
from .trainer import Trainer

if TYPE_CHECKING:
    from .drain import Drain

__all__ = ["correct_status", "wait_until_ended"]

_CRASHED: Final = Ending("crashed", None)
_CONSOLE_TIMEOUT_S: Final = 2.0


def wait_until_ended(drain: Drain, run: Path, grace_s: float, trainer: Trainer | None) -> bool:
    """Tell whether all attempts have ended, noting the status of those whose process is gone without a word."""
    deadline = time.monotonic() + grace_s
    while True:
        attempts = drain.catalogue.attempts()
        running = [attempt for attempt in attempts if attempt["status"] == "running"]
        gone = [attempt for attempt in running if not _may_live(attempt, run)]
        drain.note_endings(
            (attempt, _verdict(attempt, run, trainer, drain.last_record_us)) for attempt in gone
        )
        if len(gone) == len(running):
            return bool(attempts)
        own = trainer is not None and any(_is_of(trainer, attempt) for attempt in running)
        # Of other ranks that are at work their own writers take care.
        if not own or time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def correct_status(run: Path, trainer: Trainer) -> None:
    """Replace a "finished" that a trainer told at its exit, when it is gone and ended otherwise."""
    ending = trainer.ending()
    if ending is None or ending.status == "finished":
        return
    from ..storage.catalogue import Catalogue
    from ..storage.claim import known_catalogue_path

    catalogue = Catalogue(known_catalogue_path(run, host_name()))
    # Somebody may have continued the run meanwhile, but not this attempt.
    for attempt in catalogue.attempts():
        told_nothing = attempt["status"] == "finished" or attempt["under_way"] is not None
        if told_nothing and _is_of(trainer, attempt):
            with catalogue.transaction():
                catalogue.end_attempt(attempt["shard"], status=ending.status, error=_reason(ending, run))
    catalogue.close(single_file=True)


def _may_live(attempt: dict[str, Any], run: Path) -> bool:
    """Tell whether the process of an attempt lives; on another machine, whether a writer showed life of late."""
    from ..storage.claim import is_abandoned

    alive = is_alive(attempt["host"], attempt["pid"], attempt["process_start"])
    return not is_abandoned(run, attempt["host"], attempt["started_us"]) if alive is None else alive


def _verdict(
    attempt: dict[str, Any], run: Path, trainer: Trainer | None, last_record_us: int | None
) -> dict[str, Any]:
    """Return what to note of an attempt whose process is gone without a word."""
    from ..storage.claim import last_heartbeat_us

    last_us = last_record_us or last_heartbeat_us(run, attempt["host"]) or attempt["started_us"]
    ending = trainer.ending() if trainer is not None and _is_of(trainer, attempt) else None
    if trainer is None or ending is None:
        return {"status": _CRASHED.status, "ended_us": last_us}
    if ending.status == "finished" and attempt["under_way"] is not None:
        ending = Ending(*cut_short(attempt["under_way"]))
    return {"status": ending.status, "error": _reason(ending, run), "ended_us": trainer.gone_us or last_us}


def _is_of(trainer: Trainer, row: dict[str, Any]) -> bool:
    return trainer.is_process(row["host"], row["pid"], row["process_start"])


def _reason(ending: Ending, run: Path) -> str | None:
    """Say why a run ended; with an exit code, also what was printed last, which is all that sys.exit(text) leaves."""
    words = _last_line(console_path(run, 0)) if ending.status == "failed" else ""
    return f"{ending.reason}; last printed: {words}" if words else ending.reason


def _last_line(path: Path) -> str:
    wait_until_complete(path, _CONSOLE_TIMEOUT_S)
    try:
        lines = read_lines(path, last=100)
    except OSError:
        return ""
    # What the board said is not the program's.
    found = (line for line in map(parse_line, lines) if line is not None and line.mark != NOTE)
    said = [line.text.decode("utf-8", "replace").strip() for line in found]
    return next((text for text in reversed(said) if text and not text.startswith("kohakuboard: ")), "")
