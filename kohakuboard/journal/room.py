"""Say how much a shard may take on disk, and find room for its next segment.

Two things end the growth of a journal, and neither is silent: its limit, past which the writer has fallen too far
behind, and the disk. On a disk that is nearly full segments become smaller, and the last HEADROOM_BYTES are left to the
stores: what they take up is a tenth of the journal that they free.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = [
    "FIRST_SEGMENT_BYTES",
    "JOURNAL_LIMIT_BYTES",
    "LEAST_LIMIT_BYTES",
    "PAUSE_S",
    "SEGMENT_BYTES",
    "Room",
    "free_bytes",
]

FIRST_SEGMENT_BYTES: Final = 1 << 20
SEGMENT_BYTES: Final = 4 << 20
# What is tried where a whole segment does not fit.
SMALL_SEGMENTS_BYTES: Final = (1 << 20, 256 << 10)
HEADROOM_BYTES: Final = 16 << 20
JOURNAL_LIMIT_BYTES: Final = 4 << 30
# A full segment can be deleted once there is another behind it.
LEAST_LIMIT_BYTES: Final = 2 * SEGMENT_BYTES
# The longest that a call of `log` ever waits, once when the limit is reached: a writer that is nearly there arrives.
PAUSE_S: Final = 0.1
_LOOK_EVERY_S: Final = 0.01
_NO_ROOM: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)


class Room:
    """Hold a shard's directory, segments and staged files together, below a number of bytes.

    The directory is looked at only when what was taken since the last look would reach the limit.
    """

    def __init__(self, directory: Path, limit_bytes: int = JOURNAL_LIMIT_BYTES) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._full = False

    def take(self, size: int) -> None:
        """Claim room below the limit. Raises OSError when the writer has not freed enough; see PAUSE_S."""
        if self._fits(size):
            return
        deadline = time.monotonic() + (0 if self._full else PAUSE_S)
        self._full = True
        while not self._fits_after_a_look(size):
            if time.monotonic() >= deadline:
                raise OSError(
                    f"its writer has not stored the {self._taken_bytes / 1e6:.0f} MB that it holds, and the limit is "
                    f"{self._limit_bytes / 1e6:.0f} MB"
                )
            time.sleep(_LOOK_EVERY_S)
        self._full = False

    def take_staged(self, size: int) -> None:
        """Claim room for a staged file, below the limit and on the disk."""
        self.take(size)
        free = free_bytes(self._directory)
        if free is not None and size > free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sizes(self, standard: int, least: int, *, first: bool) -> Iterator[int]:
        """Claim room for a segment and yield the sizes to try, the largest first, none where the disk is full.

        The first segment of a shard may use the headroom. Raises OSError like `take`.
        """
        self.take(max(standard, least))
        free = None if first else free_bytes(self._directory)
        for size in dict.fromkeys(max(size, least) for size in (standard, *SMALL_SEGMENTS_BYTES)):
            if size <= max(standard, least) and (free is None or size <= free):
                yield size

    @staticmethod
    def is_lacking(error: OSError) -> bool:
        """Tell whether an error means that there is no room, and a smaller file may still fit."""
        return error.errno in _NO_ROOM

    def _fits(self, size: int) -> bool:
        if self._taken_bytes + size > self._limit_bytes:
            return False
        self._taken_bytes += size
        return True

    def _fits_after_a_look(self, size: int) -> bool:
        self._taken_bytes = _size_of(self._directory)
        return self._fits(size)


def _size_of(directory: Path) -> int:
    total = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:
                    continue  # stored and deleted at this moment
    except FileNotFoundError:
        return 0
    return total


def free_bytes(directory: Path) -> int | None:
    """Return what the file system has left beside the headroom; None where that cannot be known."""
    if not hasattr(os, "statvfs"):
        return None
    try:
        found = os.statvfs(directory)
    except OSError:
        return None
    if not found.f_blocks:
        return None
    # What is kept for root can be had by root.
    blocks = found.f_bfree if os.geteuid() == 0 else found.f_bavail
    headroom = min(HEADROOM_BYTES, found.f_blocks * found.f_frsize // 16)
    return max(blocks * found.f_frsize - headroom, 0)
