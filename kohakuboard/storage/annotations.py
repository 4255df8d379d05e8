"""annotations.json: what people say of a run afterwards, beside what the run said of itself.

It lies in the run's directory, so that it travels with the run, and in a file of its own: run.db belongs to the run's
writer, who may be at work. A name in it stands for the run's own until it is taken away again; tags are kept as what
was added and what was removed, so that those which a live run still adds are seen.

The file is replaced whole, under a lock, so that readers see the one or the other and two who annotate lose nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ..errors import RunBusyError
from ..journal.lock import FileLock
from .sync import fsync_directory, fsync_file, mark_project

__all__ = ["ANNOTATIONS_FILE", "Annotations", "change_annotations", "read_annotations"]

ANNOTATIONS_FILE: Final = "annotations.json"
LOCK_FILE: Final = ".annotations.lock"
LOCK_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Annotations:
    """Hold what was said of a run; None where nothing was, and the run's own word counts."""

    name: str | None = None
    notes: str | None = None
    colour: str | None = None
    pinned: bool = False
    archived: bool = False
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()

    def tags(self, own: list[str]) -> list[str]:
        """Return the tags of a run that has some of its own."""
        found = [tag for tag in own if tag not in self.tags_removed]
        return found + [tag for tag in self.tags_added if tag not in found]


_DECODER: Final = msgspec.json.Decoder(Annotations)


def read_annotations(run: Path) -> Annotations:
    """Return what was said of a run. Raises OSError, or ValueError when the file is damaged."""
    try:
        with open(f"{run}/{ANNOTATIONS_FILE}", "rb", buffering=0) as file:
            return _DECODER.decode(file.read())
    except FileNotFoundError:
        return Annotations()


def change_annotations(run: Path, change: Callable[[Annotations], Annotations]) -> Annotations:
    """Replace what was said of a run by what `change` makes of it. Raises OSError, ValueError or RunBusyError."""
    lock = FileLock(run / LOCK_FILE)
    _wait_for(lock, run)
    try:
        before = read_annotations(run)
        after = change(before)
        if after != before:
            _replace(run, msgspec.json.format(msgspec.json.encode(after)))
        return after
    finally:
        lock.release()


def _wait_for(lock: FileLock, run: Path) -> None:
    """Take the lock, which nobody holds for longer than a file takes to sync."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise RunBusyError(run)
        time.sleep(0.005)


def _replace(run: Path, content: bytes) -> None:
    half = run / f"{ANNOTATIONS_FILE}.tmp"
    half.write_bytes(content)
    fsync_file(half)
    os.replace(half, run / ANNOTATIONS_FILE)
    fsync_directory(run)
    mark_project(run)
