"""The background process: journal in, Lance and SQLite out.

`process` is its main loop, `trainer` what it hears from the process that logs, `drain` moves records from the journal
into the stores, exactly once, `encode` makes PNGs and counts histograms, `lock` lets one writer at a time work on a
run.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["recover"]


def recover(run: Path) -> bool:
    """Write what a dead run left in its journal, and its true status; True when there was anything to do.

    Raises RunBusyError when a live writer is at it.
    """
    from .process import recover_run

    return recover_run(run)
