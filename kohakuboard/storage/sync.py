"""Bring files and names to the disk itself: a power cut keeps what was synced, and may empty what was not."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["fsync_directory", "fsync_file", "fsync_files", "mark_project"]

# A file system that keeps a journal syncs many files as quickly as one, if they are asked for at once.
SYNC_THREADS: Final = 16


def fsync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    # Windows syncs only what is open for writing.
    fd = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_files(
    paths: Iterable[Path], each: Callable[[], object] = bool, *, missing_ok: bool = False
) -> None:
    """Wait until the content of files is on the disk, many at once; `each` is called when one more is."""

    def sync(path: Path) -> None:
        with suppress(*[FileNotFoundError] if missing_ok else []):
            fsync_file(path)

    with ThreadPoolExecutor(SYNC_THREADS) as pool:
        for _ in pool.map(sync, paths):
            each()


def fsync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk. Windows has no such call, and needs none.

    Nor have some network file systems, whose servers see to it.
    """
    if sys.platform == "win32":
        return
    try:
        fsync_file(path)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def mark_project(run: Path) -> None:
    """Move the times of the directory that a run lies in: whoever keeps a list of its runs looks at them anew."""
    with suppress(OSError):  # it may belong to somebody else, and a list looks at every run now and then
        os.utime(run.parent)
