"""The completions that TRL's trainers write as they learn, one table for each of their logs.

With `log_completions=True`, GRPO and Distillation write `completions/completions_<step>.parquet` into the output
directory right after they logged:

    log of training -> file -> log of an evaluation at that step -> the same file again -> … -> last log -> file again

So each is read at the next event, told by its name and time, and belongs to whatever was logged last before. The last
log of a training writes again what was there already, be it of an evaluation.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kohakuboard import Board

__all__ = ["Completions"]

log = logging.getLogger("kohakuboard")

_FILE: Final = re.compile(r"completions_(\d+)\.parquet")


class Completions:
    """Log what is new in the completions of one training, as tables train/completions and eval/completions."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._seen: dict[str, int] = {}
        self._group = "train"
        self._last: tuple[str, bytes] | None = None

    def begin(self, output_dir: str | None) -> None:
        """Leave out what earlier trainings wrote."""
        self._folder = Path(output_dir, "completions") if output_dir else None
        self._seen = dict(self._files())
        self._last = None

    def belong_to(self, logs: Mapping[str, Any]) -> None:
        """Note what was logged: the next file is written after it."""
        self._group = "eval" if any(name.startswith("eval_") for name in logs) else "train"

    def log_new(self, board: Board) -> None:
        """Log the files that were written since the last look."""
        for name, changed_ns in self._files():
            if self._seen.get(name) != changed_ns:
                self._seen[name] = changed_ns
                self._log(board, name)

    def _files(self) -> list[tuple[str, int]]:
        if self._folder is None or not self._folder.is_dir():
            return []
        with os.scandir(self._folder) as entries:
            return sorted(
                (entry.name, entry.stat().st_mtime_ns) for entry in entries if _FILE.fullmatch(entry.name)
            )

    def _log(self, board: Board, name: str) -> None:
        import pyarrow.parquet as parquet

        from kohakuboard import Table

        assert self._folder is not None
        match = _FILE.fullmatch(name)
        assert match is not None
        try:
            content = (self._folder / name).read_bytes()
            mark = (name, hashlib.sha256(content).digest())
            if self._last == mark:
                return
            table = Table(parquet.read_table(BytesIO(content)))
        except (OSError, ValueError) as exc:  # pyarrow's errors are among these
            log.warning("the completions in %s were not logged: %s", self._folder / name, exc)
            return
        self._last = mark
        board.log({f"{self._group}/completions": table}, step=int(match[1]))
