"""Allocate and map one journal file.

The blocks are allocated before the file is mapped: writing to a mapping that the disk has no room for ends the
process with SIGBUS, while a failed allocation is an OSError that can be handled.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
from contextlib import suppress
from pathlib import Path

from .format import HEADER_BYTES, SegmentHeader, encode_header

__all__ = ["NAMELESS_SUFFIX", "Segment", "allocate", "give_name"]

NAMELESS_SUFFIX = ".new"

# Faults all pages in one go. Left to the first touch of each page, they cost 1 call in 70 many times its usual price.
_MADV_POPULATE_WRITE = 23
# What posix_fallocate says, by C library and file system, where it is not to be had.
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def allocate(fd: int, size: int) -> None:
    """Reserve `size` bytes of zeros on disk for an empty file; OSError when there is no room."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, size)
            return
        except OSError as exc:
            if exc.errno not in _NOT_SUPPORTED:
                raise
    # macOS, Windows, and file systems that cannot allocate: zeros written are blocks owned.
    block = bytes(1 << 20)
    while size > 0:
        written = os.write(fd, block[:size])
        if written <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size -= written


def give_name(nameless: Path, path: Path) -> None:
    """Give a file its name, which no other may have."""
    if nameless == path:
        return
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    os.rename(nameless, path)


class Segment:
    """Map a new, zero-filled journal file of `size` bytes for writing. It gets its name when it has its header.

    `bytes` and `words` are two views of the same memory: the mapping itself, and its unsigned 32-bit words. It is
    unmapped when both are let go of.
    """

    __slots__ = ("bytes", "path", "size", "words")

    def __init__(self, path: Path, header: SegmentHeader, size: int) -> None:
        self.path = path
        self.size = size
        # Windows renames nothing that is open.
        nameless = path if sys.platform == "win32" else path.with_suffix(NAMELESS_SUFFIX)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        fd = os.open(nameless, flags, 0o644)
        try:
            allocate(fd, size)
            self.bytes = mmap.mmap(fd, size)
            self.bytes[:HEADER_BYTES] = encode_header(header)
            give_name(nameless, path)
        except BaseException:
            # Somebody may have deleted the directory meanwhile.
            with suppress(OSError):
                nameless.unlink()
            raise
        finally:
            os.close(fd)
        self._populate()
        self.words = memoryview(self.bytes).cast("I")

    def _populate(self) -> None:
        if sys.platform != "linux":
            return
        try:
            self.bytes.madvise(_MADV_POPULATE_WRITE, 0, self.size)
        except OSError:
            # Linux before 5.14 does not know it; the pages are faulted one by one then.
            return
