"""Keep what is stored in the journal a little longer, for the sake of copies.

Whoever copies a live run takes its files one after another. Had a segment gone that was committed after run.db was
copied, and before the journal was, its records would be in neither. So stored segments and staged files stay for a
while, unless there are many or the disk has other need of the room. Readers and writers tell by their seq that they are
stored.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..journal.directory import name_on_its_way_out, shard_directories
from ..journal.parcel import PARCEL_SUFFIX

__all__ = ["Spent", "remove_journal", "remove_shard"]

KEEP_S: Final = 30.0
KEEP_BYTES: Final = 16 << 20
LEAST_FREE_BYTES: Final = 256 << 20


class Spent:
    """Hold the files of a run's journal that are to be deleted, oldest first."""

    def __init__(self, run: Path, journal_limit_bytes: int) -> None:
        self._run = run
        # What is kept counts for the trainer, whose journal may have only a limited size.
        self._most = min(KEEP_BYTES, journal_limit_bytes // 4)
        self._files: deque[tuple[float, int, Path]] = deque()
        self._known: set[Path] = set()
        self._n_bytes = 0

    def add(self, paths: Iterable[Path]) -> None:
        """Take in files whose records are stored."""
        now = time.monotonic()
        for path in paths:
            with suppress(FileNotFoundError):
                if path not in self._known:
                    size = path.stat().st_size
                    self._files.append((now, size, path))
                    self._known.add(path)
                    self._n_bytes += size

    def clear(self) -> None:
        """Delete what has been kept for long enough."""
        most = self._most if self._files and self._has_room() else 0
        oldest = time.monotonic() - KEEP_S
        while self._files and (self._n_bytes > most or self._files[0][0] < oldest):
            _, size, path = self._files.popleft()
            if path.suffix == PARCEL_SUFFIX:
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            self._known.remove(path)
            self._n_bytes -= size

    def _has_room(self) -> bool:
        try:
            return shutil.disk_usage(self._run).free >= LEAST_FREE_BYTES
        except OSError:
            return False


def remove_shard(shard: Path) -> None:
    """Delete a shard: its name goes first, at once, so that nobody who looks misses files of a shard that is there."""
    gone = name_on_its_way_out(shard)
    with suppress(FileNotFoundError):
        os.replace(shard, gone)
    shutil.rmtree(gone, ignore_errors=True)


def remove_journal(journal: Path) -> bool:
    """Delete a journal that has no shards any more, with what is left of removals that were cut short.

    True when there was one.
    """
    if not journal.is_dir() or shard_directories(journal):
        return False
    for path in journal.glob(".*"):
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # a process has begun to log meanwhile
        journal.rmdir()
    return True
