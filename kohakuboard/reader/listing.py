"""All runs under a root, kept from one listing to the next: a run that rests costs two calls of stat.

A run rests when it has ended and nothing is open in its directory: no journal, no write-ahead log, no rollback journal.
Whoever changes it then, our writer or anybody's SQLite, makes one of these first and so changes the directory's times;
whoever copies another run.db over it changes that file's. A change within the grain of a file system's clock would go
unseen, so what changed a moment ago does not rest yet.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

from .run import Run, is_run

__all__ = ["Entry", "Listing", "directories"]

# FAT keeps times to two seconds.
CLOCK_GRAIN_S: Final = 3.0

Stamp = tuple[int, ...]


class Entry(NamedTuple):
    """Hold a run in a listing. While the run rests each listing has the same entry, otherwise a new one."""

    run: Run
    stamp: Stamp | None  # None while the run does not rest
    order: tuple[datetime, str]


class Listing:
    """Keep the runs under a root open. For one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._entries: dict[str, Entry] = {}
        self._listed: list[Entry] = []
        self._sorted: list[Entry] = []

    def entries(self) -> list[Entry]:
        """Return all runs as they are now, the newest first."""
        known = self._entries
        found: dict[str, Entry] = {}
        with _no_collection():
            for path in _candidates(self._root):
                stamp, entry = _stamp(path), known.get(path)
                if entry is None or stamp is None or entry.stamp != stamp:
                    if stamp is None and not is_run(Path(path)):
                        continue
                    entry = _entry(path, stamp, entry)
                found[path] = entry
        listed = list(found.values())
        # By identity: an entry that was made anew may be equal to the last one.
        if list(map(id, listed)) != list(map(id, self._listed)):
            self._sorted = sorted(listed, key=attrgetter("order"), reverse=True)
        self._listed = listed
        self._entries = found
        return list(self._sorted)

    def paths(self) -> list[Path]:
        """Return the directories of all runs."""
        return [run for path in _candidates(self._root) if is_run(run := Path(path))]

    def open(self, path: Path) -> Run:
        """Return one run as it is now."""
        name = str(path)
        entry = self._entries[name] = _entry(name, _stamp(name), self._entries.get(name))
        return entry.run


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the search for reference cycles.

    It would go through all that was read again and again while it grows, a million objects for 10 000 runs, and find
    nothing: half of the time a first listing took.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def directories(path: str) -> list[str]:
    """Return the directories in a directory by name; none where it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:
        return []


def _candidates(root: str) -> Iterator[str]:
    for project in directories(root):
        if not project.endswith(f"{os.sep}.trash"):
            yield from directories(project)


def _entry(path: str, stamp: Stamp | None, known: Entry | None) -> Entry:
    """Read a run; `stamp` was taken before."""
    if known is None:
        run = Run(Path(path))
    else:
        run = known.run
        run.refresh()
    return Entry(run, stamp if _rests(path, run, stamp) else None, (run.started, run.id))


def _stamp(path: str) -> Stamp | None:
    try:
        directory, database = os.stat(path), os.stat(f"{path}/run.db")
    except OSError:
        return None
    return (
        directory.st_mtime_ns,
        directory.st_ctime_ns,
        directory.st_ino,
        database.st_mtime_ns,
        database.st_ctime_ns,
        database.st_ino,
        database.st_size,
    )


def _rests(path: str, run: Run, stamp: Stamp | None) -> bool:
    if stamp is None or run.ended is None or run.status in ("running", "unreadable"):
        return False
    latest = max(stamp[0], stamp[1], stamp[3], stamp[4]) / 1e9
    if time.time() - latest < CLOCK_GRAIN_S:
        return False
    try:
        names = os.listdir(path)
    except OSError:
        return False
    if any(name == "journal" or name.endswith(("-wal", "-shm", "-journal")) for name in names):
        return False
    # The databases of other hosts are not in the stamp.
    return all(name == "run.db" for name in names if name.endswith(".db") and name.startswith("run."))
