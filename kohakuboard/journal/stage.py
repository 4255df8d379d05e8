"""Put large arrays and files beside the segments of a shard, and find them again.

A staged file is whole before the record that names it is appended; one without a record is litter of a crash.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any, Final

from .filesystem import file_system
from .parcel import PARCEL_SUFFIX, Parcel
from .room import Room

__all__ = [
    "INLINE_BYTES",
    "PIECE_BYTES",
    "STAGED_SUFFIX",
    "Stage",
    "StagingError",
    "has_hole",
    "reserve_blocks",
]

INLINE_BYTES: Final = 64 * 1024
STAGED_SUFFIX: Final = ".staged"
RETRY_AFTER_S: Final = 1.0
# Those that find blocks without writing to them; tmpfs would clear each page first. They also tell blocks of which the
# bytes never reached the disk: after a power cut a file may have its size and zeros for bytes.
_ALLOCATING: Final = ("ext4", "xfs")
# Of fallocate(2): the size comes with the bytes, or nearly, so that most files that a power cut took are shorter.
_KEEP_SIZE: Final = 1
# After a pause, 3 MB took ext4 1 ms in pieces of this size, and 10 ms in one.
PIECE_BYTES: Final = 1 << 20
# The kernel takes no more at once.
_MOST_BUFFERS: Final = 1024


class StagingError(OSError):
    """Say that there is no room for a staged file, or that it cannot be written."""


class Stage:
    """Put large bytes and files into a shard's directory, out of the way of the segments.

    Raises StagingError when one does not fit; nothing is left of it, and `refused` stays set until one does. Where the
    journal's limit is reached, the directory is looked at once in RETRY_AFTER_S.
    """

    def __init__(self, directory: Path, room: Room | None = None) -> None:
        self._directory = directory
        self._room = room or Room(directory)
        self._numbers = itertools.count()
        self.refused = False
        self._refusal = ""
        self._retry_at = 0.0

    def data(self, *parts: bytes | memoryview) -> dict[str, Any]:
        """Return what stands for the bytes in a record, one part behind the other: themselves, or a staged file's name.

        Views must be of bytes. Large ones are written from where they lie, without a copy in between.
        """
        return self.pieces(sum(map(len, parts)), [[memoryview(part) for part in parts]])

    def pieces(self, size: int, pieces: Iterable[Sequence[Any]]) -> dict[str, Any]:
        """Return what stands for `size` bytes that come in pieces, each good until the next is asked for.

        A piece is a sequence of contiguous buffers with `nbytes`; those of more than PIECE_BYTES must be of bytes.
        """
        if size <= INLINE_BYTES:
            return {"data": b"".join(b"".join(piece) for piece in pieces)}

        def write(file: IO[bytes]) -> None:
            if size > PIECE_BYTES:
                self._allocate(file, size)
            for piece in pieces:
                for batch in _batches(piece):
                    _write(file, batch)

        return self._staged(size, write, buffering=0)

    def file(self, source: Path) -> dict[str, Any]:
        """Copy a regular file aside, so that what the user does to it later changes nothing."""
        # Not blocking: a FIFO that takes the file's place at this moment must not stop training.
        fd = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with open(fd, "rb", buffering=0) as original:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError(errno.ENOENT, "no regular file", str(source))
            part = self.written(found.st_size, lambda file: _copy(original, file))
        # What has holes by itself is no sign of a power cut.
        return {**part, "sparse": True} if has_hole(self._directory / part["staged"]) else part

    def written(self, size: int, write: Callable[[IO[bytes]], object]) -> dict[str, Any]:
        """Stage what a function writes to a file, about `size` bytes."""
        return self._staged(size, write)

    def discard(self, parts: Iterable[Mapping[str, Any]]) -> None:
        """Remove what was staged for a value that will not be logged after all."""
        for part in parts:
            for inner in (part, *part.values()):
                if isinstance(inner, Mapping) and "staged" in inner:
                    with suppress(OSError):
                        Path(self._directory, inner["staged"]).unlink(missing_ok=True)

    def parcel(self) -> Parcel:
        """Return a directory to fill, for a value of many files. Raises OSError."""
        return Parcel(self._directory / f"{next(self._numbers):08d}{PARCEL_SUFFIX}")

    def _staged(self, size: int, write: Callable[[IO[bytes]], object], buffering: int = -1) -> dict[str, Any]:
        name = f"{next(self._numbers):08d}{STAGED_SUFFIX}"
        path = f"{self._directory}{os.sep}{name}"  # a Path takes ten times as long
        try:
            self._take(size)
            with open(path, "wb", buffering) as file:
                write(file)
                n_bytes = file.seek(0, os.SEEK_END)
        except BaseException as exc:
            with suppress(OSError):
                os.unlink(path)
            self.refused = True
            if isinstance(exc, OSError):
                raise StagingError(*exc.args) from exc
            raise
        self.refused = False
        return {"staged": name, "staged_bytes": n_bytes}

    def _allocate(self, file: IO[bytes], size: int) -> None:
        """Have the file system find the blocks at once, where it can: writing is then as quick as copying in memory."""
        if _is_allocating(self._directory):
            reserve_blocks(file.fileno(), size)

    def _take(self, size: int) -> None:
        if time.monotonic() < self._retry_at:
            raise OSError(self._refusal)
        try:
            self._room.take_staged(size)
        except OSError as exc:
            self._refusal, self._retry_at = str(exc), time.monotonic() + RETRY_AFTER_S
            raise


@lru_cache(maxsize=16)  # it reads the mount table, and a directory does not move
def _is_allocating(directory: Path) -> bool:
    return sys.platform == "linux" and file_system(directory) in _ALLOCATING


def has_hole(path: Path) -> bool:
    """Tell whether bytes of a file were not written, or lost on their way to the disk; False where nobody knows."""
    if not _is_allocating(path.parent):
        return False
    with open(path, "rb", 0) as file:
        size = os.fstat(file.fileno()).st_size
        return size > 0 and os.lseek(file.fileno(), 0, os.SEEK_HOLE) < size


def reserve_blocks(fd: int, size: int) -> None:
    """Give a new file its blocks, and leave it empty. Raises OSError where there are not so many."""
    error = _fallocate()(fd, size)
    if error not in (0, errno.EOPNOTSUPP):
        raise OSError(error, os.strerror(error))


@cache
def _fallocate() -> Callable[[int, int], int]:
    """Return what reserves blocks of a file by its number; it returns an error's number, or 0."""
    import ctypes  # not at the top: `import kohakuboard` would take longer

    library = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(library, "fallocate64", None) or library.fallocate  # one C library has no such name
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)

    def reserve(fd: int, size: int) -> int:
        return ctypes.get_errno() if fallocate(fd, _KEEP_SIZE, 0, size) else 0

    return reserve


def _batches(parts: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield buffers that are to be written at once, of about PIECE_BYTES together."""
    batch: list[Any] = []
    room = PIECE_BYTES
    for part in parts:
        rest = part
        while (n_bytes := rest.nbytes) > PIECE_BYTES:
            yield [*batch, rest[:PIECE_BYTES]]
            rest = rest[PIECE_BYTES:]
            batch, room = [], PIECE_BYTES
        batch.append(rest)
        room -= n_bytes
        if room <= 0 or len(batch) == _MOST_BUFFERS:
            yield batch
            batch, room = [], PIECE_BYTES
    if batch:
        yield batch


def _write(file: IO[bytes], batch: list[Any]) -> None:
    written = os.writev(file.fileno(), batch) if hasattr(os, "writev") else 0
    if written < sum(part.nbytes for part in batch):
        rest = memoryview(b"".join(batch))[written:]
        while rest:
            rest = rest[file.write(rest) :]


def _copy(original: IO[bytes], file: IO[bytes]) -> None:
    """Copy the rest of a file inside the kernel, which shares its blocks where the file system can."""
    try:
        while os.copy_file_range(original.fileno(), file.fileno(), 1 << 30):
            pass
    except (AttributeError, OSError):  # not on this system, or not between these two file systems
        pass
    # Here, and not at the top: with bz2 and lzma it would cost each `import kohakuboard` 3 ms.
    import shutil

    file.seek(0, os.SEEK_END)
    shutil.copyfileobj(original, file, PIECE_BYTES)  # what is left: nothing, as a rule
