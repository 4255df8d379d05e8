"""The completions that TRL's trainers write as they learn, one table for each of their logs.

With `log_completions=True`, GRPO and Distillation write `completions/completions_<step>.parquet` into the output
directory right after they logged, and the log of an evaluation at the same step writes the same file again. Each is
read at the next event, told by its name and time.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kohakuboard import Board

__all__ = ["Completions"]

_FILE: Final = re.compile(r"completions_(\d+)\.parquet")


class Completions:
    """Log what is new in the completions of one training."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._seen: dict[str, int] = {}

    def begin(self, output_dir: str | None) -> None:
        """Leave out what earlier trainings wrote."""
        self._folder = Path(output_dir, "completions") if output_dir else None
        self._seen = dict(self._files())

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
        rows = parquet.read_table(self._folder / name).to_pylist()
        board.log({"completions": Table(rows)}, step=int(match[1]))
