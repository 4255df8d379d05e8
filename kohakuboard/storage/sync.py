"""Bring files and names to the disk itself: a power cut keeps what was synced, and may empty what was not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["fsync_directory", "fsync_file"]


def fsync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    # Windows syncs only what is open for writing.
    fd = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk. Windows has no such call, and needs none."""
    if sys.platform != "win32":
        fsync_file(path)
