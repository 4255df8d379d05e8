"""Stage an artifact beside the segments of a shard: a directory of files, whole before the record that names it.

    <shard>/00000003.artifact/0, 1, 2 …        the bytes of the files, copied
    <shard>/00000003.artifact/manifest.json    written last: {"files": [[path, size, mtime_ns], …], "single", "source"}

A file's number is its place in the list; a reference has the list alone. `single` tells a file from a directory, and
`source` is where it was. A parcel without a manifest, or without a record that names it, is litter of a crash, and goes
with its shard.

What is copied stays in the run for good, so it does not count for the journal's limit, which is for what passes
through. Where the file system can share blocks (btrfs, XFS, bcachefs) a copy takes no time and no room: both files have
the same blocks until one is changed. A hard link would share them, too, but whoever writes to the original in place, as
`torch.save` does, would change both.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from .room import free_bytes

__all__ = ["MANIFEST", "PARCEL_SUFFIX", "ChangedError", "Listed", "Manifest", "Parcel", "read_manifest"]

PARCEL_SUFFIX: Final = ".artifact"
MANIFEST: Final = "manifest.json"
COPY_BYTES: Final = 64 << 20
# What tells that the kernel cannot copy from here to there, and Python must.
_CANNOT: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)
_FICLONE: Final = 0x40049409


class ChangedError(Exception):
    """Say that a file changed while it was copied."""


class Listed(NamedTuple):
    """Name a file of an artifact; `mtime_ns` in ns since 1970 UTC."""

    path: str
    size_bytes: int
    mtime_ns: int


class Manifest(NamedTuple):
    """Say what a parcel holds, in the order of its numbers."""

    files: list[Listed]
    single: bool
    source: str


class Parcel:
    """Fill a directory with copies of files; `drop` leaves nothing of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[Listed] = []
        path.mkdir()

    def copy(self, name: str, source: int) -> None:
        """Copy an open file aside. Raises OSError, and ChangedError when somebody writes to it meanwhile."""
        before = os.fstat(source)
        target = os.open(
            self.path / str(len(self.files)),
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0),
            0o644,
        )
        try:
            if not _share(source, target):
                free = free_bytes(self.path)
                if free is not None and before.st_size > free:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                _copy(source, target, before.st_size)
            size = os.fstat(target).st_size
        finally:
            os.close(target)
        after = os.fstat(source)
        if (after.st_size, after.st_mtime_ns) != (
            before.st_size,
            before.st_mtime_ns,
        ) or size != after.st_size:
            raise ChangedError
        self.refer(name, after)

    def refer(self, name: str, found: os.stat_result) -> None:
        """List a file."""
        self.files.append(Listed(name, found.st_size, found.st_mtime_ns))

    def close(self, *, single: bool, source: str) -> None:
        """Write the manifest: the parcel is whole."""
        manifest = {"files": self.files, "single": single, "source": source}
        (self.path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    def drop(self) -> None:
        """Leave nothing behind."""
        # Here, and not at the top: it is slow to import.
        import shutil

        with suppress(OSError):
            shutil.rmtree(self.path)


def read_manifest(parcel: Path) -> Manifest:
    """Return what a parcel holds. Raises OSError or ValueError for one that is not whole."""
    found: Any = json.loads((parcel / MANIFEST).read_text(encoding="utf-8"))
    try:
        files = [Listed(str(path), int(size), int(mtime_ns)) for path, size, mtime_ns in found["files"]]
        return Manifest(files, bool(found["single"]), str(found["source"]))
    except (TypeError, KeyError) as exc:
        raise ValueError(f"{MANIFEST} is no manifest") from exc


def _share(source: int, target: int) -> bool:
    """Give the copy the blocks of the original; False where the file system cannot."""
    try:
        import fcntl

        fcntl.ioctl(target, _FICLONE, source)
    except (ImportError, OSError):
        return False
    return True


def _copy(source: int, target: int, size: int) -> None:
    """Copy no more than there was, and one byte to tell by: a file that grows would never end."""
    offset = 0
    try:
        # In the kernel: the bytes do not pass through this process, and its other threads go on.
        while offset <= size and (
            copied := os.copy_file_range(source, target, min(COPY_BYTES, size + 1 - offset), offset, offset)
        ):
            offset += copied
        if offset:
            return
    except AttributeError:  # not Linux
        pass
    except OSError as exc:
        if exc.errno not in _CANNOT:
            raise
    # Also of a file of which the kernel copies nothing, as of those in /proc.
    os.lseek(source, offset, os.SEEK_SET)
    os.lseek(target, offset, os.SEEK_SET)
    while offset <= size and (data := os.read(source, min(1 << 20, size + 1 - offset))):
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
        offset += len(data)
