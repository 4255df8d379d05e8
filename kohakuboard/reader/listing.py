"""All runs under a root, kept from one listing to the next: a run that rests costs two calls of stat.

A run rests when it has ended and nothing is open in its directory: no journal, no write-ahead log, no rollback journal.
Whoever changes it then, our writer or anybody's SQLite, makes one of these first and so changes the directory's times;
whoever copies another run.db over it changes that file's. A change within the grain of a file system's clock would go
unseen, so what changed a moment ago does not rest yet.

At a glance not even these two calls are made, which take 10 000 runs a twentieth of a second: our writer, and whoever
annotates a run, moves the times of the project's directory (see mark_project), and so does a run that comes or goes. As
other programs do not, of the runs that rest a part is looked at each time, so that each has its turn within ROUND_S.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from .run import Run, is_run

__all__ = ["Entry", "Listing", "directories"]

# FAT keeps times to two seconds.
CLOCK_GRAIN_S: Final = 3.0
ROUND_S: Final = 600.0

_MANY_NEW: Final = 50_000  # objects

Stamp = tuple[int, ...]


class Entry(NamedTuple):
    """Hold a run in a listing. While the run rests each listing has the same entry, otherwise a new one."""

    run: Run
    stamp: Stamp | None  # None while the run does not rest
    order: tuple[int, str]  # by its start, and its id


class Folder(NamedTuple):
    """Hold what is in the directory of a project."""

    stamp: Stamp | None  # None while a change might not be told from the last
    paths: list[str]


class Listing:
    """Keep the runs under a root open. For one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._folders: dict[str, Folder] = {}
        self._entries: dict[str, Entry] = {}
        self._restless: dict[str, None] = {}  # in the order in which they were found
        self._turns: Iterator[str] = iter(())
        self._looked_at = time.monotonic()
        self._sorted: list[Entry] = []
        self._places: dict[str, int] | None = None  # in `_sorted`, None while that is out of order
        self._given: Sequence[Entry] | None = None

    def entries(self, *, glance: bool = False) -> Sequence[Entry]:
        """Return all runs as they are now, the newest first; the same sequence as long as nothing changes.

        With `glance` a change that another program made of a run that rests may be seen ROUND_S later.
        """
        with _no_collection():
            for path in self._to_look_at(glance=glance):
                self._look(path)
            if self._places is None:
                by_order = sorted(self._entries.items(), key=lambda one: one[1].order, reverse=True)
                self._places = {path: place for place, (path, _) in enumerate(by_order)}
                self._sorted = [entry for _, entry in by_order]
                self._given = None
        if self._given is None:
            self._given = tuple(self._sorted)
        return self._given

    def paths(self) -> list[Path]:
        """Return the directories of all runs."""
        found = (path for folder in _folders(self._root) for path in directories(folder))
        return [run for path in found if is_run(run := Path(path))]

    def open(self, path: Path) -> Run:
        """Return one run as it is now."""
        name = str(path)
        return self._put(name, _entry(name, _stamp(name), self._entries.get(name))).run

    def _to_look_at(self, *, glance: bool) -> list[str]:
        """Return the directories that may hold a run which is not as it was; those that are gone are let go."""
        found: list[str] = []
        folders = {path: self._folders.get(path) for path in _folders(self._root)}
        for gone in self._folders.keys() - folders.keys():
            self._drop(self._folders.pop(gone).paths)
        for path, known in folders.items():
            stamp = _folder_stamp(path)
            if glance and known is not None and stamp is not None and stamp == known.stamp:
                continue
            paths = directories(path)
            if known is not None:
                self._drop(set(known.paths).difference(paths))
            self._folders[path] = Folder(stamp, paths)
            found += paths
        return [*found, *self._restless, *self._in_turn()] if glance else found

    def _in_turn(self) -> list[str]:
        """Return the runs whose turn it is, so many as the time since the last look allows."""
        now, known = time.monotonic(), len(self._entries)
        n = min(math.ceil(known * (now - self._looked_at) / ROUND_S), known)
        self._looked_at = now
        found = list(islice(self._turns, n))
        if len(found) < n:
            self._turns = iter(list(self._entries))
            found += islice(self._turns, n - len(found))
        return [path for path in found if path in self._entries]

    def _look(self, path: str) -> None:
        stamp, known = _stamp(path), self._entries.get(path)
        if known is not None and stamp is not None and known.stamp == stamp:
            return
        if stamp is None and not is_run(Path(path)):
            self._drop([path])
            self._restless[path] = None  # it may become one
        else:
            self._put(path, _entry(path, stamp, known))

    def _put(self, path: str, entry: Entry) -> Entry:
        known, self._entries[path] = self._entries.get(path), entry
        if entry.stamp is None:
            self._restless[path] = None
        else:
            self._restless.pop(path, None)
        if known is None or known.order != entry.order or self._places is None:
            self._places = None
        else:
            self._sorted[self._places[path]] = entry
        self._given = None
        return entry

    def _drop(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._restless.pop(path, None)
            if self._entries.pop(path, None) is not None:
                self._places = None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the search for reference cycles.

    It would go through all that was read again and again while it grows, and find nothing: half of the time a first
    listing took. Much that is new counts as old afterwards, or the next object that anybody makes would have all of it
    gone through once more, a fifth of that time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_count()[0] > _MANY_NEW and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()  # all are among the oldest now
            gc.enable()


def directories(path: str) -> list[str]:
    """Return the directories in a directory by name; none where it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:
        return []


def _folders(root: str) -> list[str]:
    return [path for path in directories(root) if not path.endswith(f"{os.sep}.trash")]


def _folder_stamp(path: str) -> Stamp | None:
    """Return what changes when a run comes or goes, or says that it changed; None when it did a moment ago."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    latest = max(found.st_mtime_ns, found.st_ctime_ns) / 1e9
    if time.time() - latest < CLOCK_GRAIN_S:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _entry(path: str, stamp: Stamp | None, known: Entry | None) -> Entry:
    """Read a run; `stamp` was taken before."""
    if known is None:
        run = Run(path)
    else:
        run = known.run
        run.refresh()
    return Entry(run, stamp if _rests(run, stamp) else None, (run.started_us, run.id))


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


def _latest(stamp: Stamp) -> float:
    """Return the latest time in a stamp, in s since 1970 UTC."""
    return max(stamp[0], stamp[1], stamp[3], stamp[4]) / 1e9


def _rests(run: Run, stamp: Stamp | None) -> bool:
    """Tell whether a run rests whose stamp was taken before it was read.

    What was made in its directory after that makes the next stamp another one.
    """
    # The databases of other hosts are not in the stamp.
    return stamp is not None and run.rests and time.time() - _latest(stamp) >= CLOCK_GRAIN_S
