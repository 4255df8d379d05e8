"""Give a run its true status, and leave it as it is kept.

A status that was told stands: by `finish`, by a context, by an uncaught exception. What was told at the trainer's exit
is one side of it only, as Python does not say there what sys.exit was given, or that the shutdown crashes: when the
trainer is gone, its exit code has the last word over a "finished". Of a trainer that went without a word, all is told
by its exit code or signal; where that cannot be known, the run crashed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..journal.process import STALE_HEARTBEAT_S, is_alive
from .exit_status import Ending
from .trainer import Trainer

if TYPE_CHECKING:
    from .drain import Drain

__all__ = ["correct_status", "may_live", "wait_until_ended"]

_CRASHED: Final = Ending("crashed", None)
_LAST_BYTES: Final = 4096


def wait_until_ended(drain: Drain, run: Path, grace_s: float, trainer: Trainer | None) -> bool:
    """Tell whether the run has ended, noting the status of one whose process is gone without a word."""
    deadline = time.monotonic() + grace_s
    while True:
        row = drain.catalogue.run()
        if row["status"] != "running":
            return row["status"] is not None
        if not may_live(row):
            with drain.catalogue.transaction():
                drain.catalogue.update_run(
                    **_verdict(row, run, trainer, drain.last_record_us or row["heartbeat_us"])
                )
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def may_live(row: dict[str, Any]) -> bool:
    """Tell whether the process of a run lives; for one on another machine, whether its writer showed life of late."""
    alive = is_alive(row["host"], row["pid"], row["process_start"])
    return time.time() - (row["heartbeat_us"] or 0) / 1e6 < STALE_HEARTBEAT_S if alive is None else alive


def correct_status(run: Path, trainer: Trainer) -> None:
    """Replace a "finished" that a trainer told at its exit, when it is gone and ended otherwise."""
    ending = trainer.ending()
    if ending is None or ending.status == "finished":
        return
    from ..storage.catalogue import Catalogue

    catalogue = Catalogue(run / "run.db")
    row = catalogue.run()
    # Somebody may have continued the run meanwhile.
    if row["status"] == "finished" and _is_of(trainer, row):
        with catalogue.transaction():
            catalogue.update_run(status=ending.status, error=_reason(ending, run))
    catalogue.close(single_file=True)


def _verdict(
    row: dict[str, Any], run: Path, trainer: Trainer | None, last_sign_us: int | None
) -> dict[str, Any]:
    """Return what to note of a run whose process is gone without a word."""
    ending = trainer.ending() if trainer is not None and _is_of(trainer, row) else None
    if trainer is None or ending is None:
        return {"status": _CRASHED.status, "ended_us": last_sign_us}
    return {
        "status": ending.status,
        "error": _reason(ending, run),
        "ended_us": trainer.gone_us or last_sign_us,
    }


def _is_of(trainer: Trainer, row: dict[str, Any]) -> bool:
    return trainer.is_process(row["host"], row["pid"], row["process_start"])


def _reason(ending: Ending, run: Path) -> str | None:
    """Say why a run ended; with an exit code, also what was printed last, which is all that sys.exit(text) leaves."""
    words = _last_line(run / "console.log") if ending.status == "failed" else ""
    return f"{ending.reason}; last printed: {words}" if words else ending.reason


def _last_line(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _LAST_BYTES, 0))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    # What a progress bar overwrote is not what was to be seen last, and what the board said is not the program's.
    shown = (line.rstrip("\r").split("\r")[-1].strip() for line in reversed(lines))
    return next((line for line in shown if line and not line.startswith("kohakuboard: ")), "")
