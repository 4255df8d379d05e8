"""Bring the journal to the disk every so often, so that a power cut costs no more than a few seconds of it.

In a thread of the writer's, never in training: a long merge must not make it late. In this order: staged files, which
records name; segments; the names of both in their shard; the shards' names; first of all, and once, the run's own name
and those above it. What is committed needs none of this: each store syncs a commit before the journal lets go of it.

Whoever stores to a mapped page that is in memory already changes no file time, and rsync takes the file for unchanged.
So a segment in which records were found gets the time of now.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from ..journal.directory import shard_directories
from ..journal.format import SEGMENT_SUFFIX
from ..journal.parcel import MANIFEST, PARCEL_SUFFIX
from ..journal.stage import STAGED_SUFFIX
from ..storage.sync import fsync_directory, fsync_file, fsync_files

__all__ = ["JournalSync"]

# The size of a file, in bytes, and when it was last written to, in ns; None of one that is gone, or needs none.
_Mark = tuple[int, int] | None

log = logging.getLogger("kohakuboard.writer")

SHORTEST_PAUSE_S: Final = 0.5
# rsync compares whole seconds: a time set in the second of the last copy is set again in the next.
TOUCH_AGAIN_S: Final = 1.5


class JournalSync:
    """Sync a run's journal every `every_s` seconds while there is anything new in it; 0 stands for half a second.

    A context: the thread runs inside it.
    """

    def __init__(self, run: Path, every_s: float) -> None:
        self._run = run
        self._pause_s = every_s or SHORTEST_PAUSE_S
        self._over = threading.Event()
        self._looked = self._found = False
        self._grown: dict[Path, float] = {}
        # Of each shard what is on the disk: of a staged file as it was then, for it may have been half written.
        self._done: dict[Path, dict[str, _Mark]] = {}
        self._failure = ""
        self._thread = threading.Thread(target=self._work, name="journal-sync", daemon=True)

    def __enter__(self) -> JournalSync:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def note(self, grown: Iterable[Path]) -> None:
        """Hear from the writer's loop in which segments its last look found records."""
        now = time.monotonic()
        for path in grown:
            self._found = True
            self._grown[path] = now
        self._looked = True
        for path, found in list(self._grown.items()):
            with suppress(OSError):
                os.utime(path)
            if now - found >= TOUCH_AGAIN_S:
                del self._grown[path]

    def sync(self) -> None:
        """Bring all that is in the journal now to the disk."""
        if not self._done:
            self._sync_names_above()
        shards = shard_directories(self._run / "journal")
        new = set(shards) - set(self._done)
        for shard in shards:
            with suppress(FileNotFoundError):  # stored and deleted meanwhile
                self._sync_shard(shard)
        if new:
            with suppress(FileNotFoundError):
                fsync_directory(self._run / "journal")
        self._done = {shard: self._done.get(shard, {}) for shard in shards}

    def _work(self) -> None:
        while True:
            # While the loop is busy it has not looked, and there may be anything.
            due, self._looked, self._found = self._found or not self._looked, False, False
            if due:
                self._try()
            if self._over.wait(self._pause_s):
                return

    def _try(self) -> None:
        try:
            self.sync()
        except OSError as exc:
            if str(exc) != self._failure:
                self._failure = str(exc)
                log.warning("the journal could not be synced, a power cut may cost more of it: %s", exc)

    def _sync_shard(self, shard: Path) -> None:
        names = sorted(os.listdir(shard))
        segments = [name for name in names if name.endswith(SEGMENT_SUFFIX)]
        staged = {name: _mark(shard / name) for name in names if name.endswith(STAGED_SUFFIX)}
        parcels = {name: _mark(shard / name / MANIFEST) for name in names if name.endswith(PARCEL_SUFFIX)}
        done = self._done.get(shard)
        if done is None:
            # A new shard's segments first: their header tells whose records these are, and staged files can take long.
            done = {}
            self._sync_segments(shard, segments)
        files = [shard / name for name, mark in staged.items() if done.get(name) != mark]
        for name, mark in parcels.items():
            if mark is not None and done.get(name) != mark:
                with suppress(FileNotFoundError):
                    files += [*sorted((shard / name).iterdir()), shard / name]
        fsync_files(files, missing_ok=True)
        self._sync_segments(shard, [name for name in segments if name not in done])
        fsync_directory(shard)
        # The last segment goes on growing.
        self._done[shard] = {**staged, **parcels, **dict.fromkeys(segments[:-1])}

    @staticmethod
    def _sync_segments(shard: Path, names: Iterable[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                fsync_file(shard / name)

    def _sync_names_above(self) -> None:
        for directory in (self._run, *self._run.parents):
            with suppress(OSError):  # somebody else's, which may not be read
                fsync_directory(directory)
            if os.path.ismount(directory):
                return


def _mark(path: Path) -> _Mark:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns
