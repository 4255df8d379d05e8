"""The journal where mapping is not safe: the same records, each put into its segment by one `write`.

For network file systems and FUSE, and for those that copy on write (see filesystem). A segment grows with what is
written to it and has no space reserved: zeros would be sent over the network, and the server could not promise room
for what replaces them. When `row` returns, the record is where the kernel takes over, so a SIGKILL loses nothing; how
soon the server has it is the writer's fsync.

A lock serves the threads, which a fork copies held: but a forked board opens a shard of its own. A signal handler that
logs comes in while its own thread holds the lock. So a record waits in `_unwritten` from the moment it has its place,
and whoever comes in, or comes next after a Ctrl-C, writes what waits before its own: there is never a hole, at which
a reader would stop, in front of a record that `row` returned for. Writing one twice changes nothing.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import time as now
from typing import Any, Final

from .filesystem import MAPPED, may_map_segments
from .format import HEADER_BYTES, RECORD, RECORD_BYTES, SegmentHeader, align, checksum, encode_header
from .room import JOURNAL_LIMIT_BYTES
from .segment import NAMELESS_SUFFIX, give_name
from .shard import Clock, Shard, _Shape

__all__ = ["SegmentFile", "WrittenShard", "open_shard"]

_CHECK: Final = struct.Struct("<I")
_REST: Final = struct.Struct("<IQqqd")


def open_shard(
    journal: Path,
    *,
    rank: int,
    host: str,
    parent: str | None = None,
    way: str | None = None,
    limit_bytes: int = JOURNAL_LIMIT_BYTES,
    segment_bytes: int | None = None,
) -> Shard:
    """Make a shard in a journal, mapped or written as `way` says, or as the file system allows."""
    mapped = way == MAPPED if way else may_map_segments(journal)
    kind = Shard if mapped else WrittenShard
    return kind(
        journal, rank=rank, host=host, parent=parent, limit_bytes=limit_bytes, segment_bytes=segment_bytes
    )


class SegmentFile:
    """A journal file that grows with what is written to it. It gets its name when it has its header.

    It is closed when it is let go of.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self.path = path
        # Windows renames nothing that is open.
        nameless = path if sys.platform == "win32" else path.with_suffix(NAMELESS_SUFFIX)
        self._fd = os.open(nameless, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
        try:
            self.write(0, encode_header(header._replace(size=0)))
            give_name(nameless, path)
        except BaseException:
            with suppress(OSError):
                nameless.unlink()
            raise

    def __del__(self) -> None:
        with suppress(OSError, AttributeError):  # no such attribute: it could not be opened
            os.close(self._fd)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at a place, all of them or OSError."""
        while data:
            count = _pwrite(self._fd, data, offset)
            if count <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data, offset = data[count:], offset + count


def _pwrite(fd: int, data: bytes, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.write(fd, data)


class WrittenShard(Shard):
    """Append the records of one process to `journal/<shard>/` by `write`. What is promised is what Shard promises."""

    __slots__ = ("_retired", "_unwritten")

    _bytes: Any  # a SegmentFile

    def __init__(
        self,
        journal: Path,
        *,
        rank: int,
        host: str,
        parent: str | None = None,
        limit_bytes: int = JOURNAL_LIMIT_BYTES,
        segment_bytes: int | None = None,
    ) -> None:
        self._unwritten: tuple[tuple[SegmentFile, int, bytes], ...] = ()
        self._retired: Any = None
        super().__init__(
            journal,
            rank=rank,
            host=host,
            parent=parent,
            limit_bytes=limit_bytes,
            segment_bytes=segment_bytes,
        )

    def row(self, step: int, values: Mapping[str, float], now: Clock = now) -> None:
        """Append one row of scalars; raises what Shard.row raises."""
        names = tuple(values)
        with self._lock:
            while True:
                seq = self._seq
                shape = self._shapes.get(names)
                if shape is None:
                    self._declare(names)
                    continue
                offset = self._offset
                if offset + shape.size > self._capacity:
                    self._new_segment(shape.size, seq)
                    continue
                file = self._bytes
                rest = shape.pack(shape.size, shape.tag, seq, step, now(), *values.values())
                if self._write(seq, file, offset, _CHECK.pack(shape.check(rest)) + rest):
                    return

    def close(self) -> None:
        """Write what an interrupted append left, and close the segment."""
        with self._lock:
            with suppress(OSError):
                self._write_out()
            super().close()

    def _append(
        self,
        tag: int,
        step: int,
        payload: bytes,
        now: Clock = now,
        *,
        room_behind: int = 0,
        reach: int = 0,
    ) -> dict[tuple[str, ...], _Shape]:
        # `reach` is of no use here: nothing is reserved for last words.
        length = RECORD_BYTES + len(payload)
        size = align(length)
        with self._lock:
            while True:
                seq = self._seq
                offset = self._offset
                if offset + size + room_behind > self._capacity:
                    self._new_segment(size + room_behind, seq)
                    continue
                file, shapes = self._bytes, self._shapes
                rest = _REST.pack(length, tag, seq, step, now()) + payload
                if self._write(seq, file, offset, _CHECK.pack(checksum(rest)) + rest):
                    return shapes

    def _write(self, seq: int, file: SegmentFile, offset: int, record: bytes) -> bool:
        """Put a record at its place; False, and nothing is done, when another came in since `seq` was read."""
        end = offset + align(len(record))
        unwritten = (*self._unwritten, (file, offset, record))
        if self._seq != seq:
            return False
        # No call between the comparison and here, so no signal handler came in.
        self._seq, self._offset, self._unwritten = seq + 1, end, unwritten
        self._write_out()
        return True

    def _write_out(self) -> None:
        while unwritten := self._unwritten:
            file, offset, record = unwritten[0]
            try:
                file.write(offset, record)
            except OSError as exc:
                self._give_up(exc)
                raise
            if self._unwritten is unwritten:
                self._unwritten = unwritten[1:]

    def _give_up(self, failure: OSError) -> None:
        """Leave no half record behind, and go on in another segment once there may be room."""
        unwritten, self._unwritten = self._unwritten, ()
        self._note_failure(failure)
        _, offset, record = unwritten[0]
        if offset > HEADER_BYTES:
            self._after_seq = RECORD.unpack_from(record)[3] - 1
        self._capacity, self._seq = 0, self._seq + 1
        for file, offset, _ in unwritten:
            with suppress(OSError):
                # Where the half record begins, so that it is no damage but the end.
                file.write(offset, bytes(8))

    def _new_segment(self, needed: int, seq: int) -> None:
        super()._new_segment(needed, seq)
        self._retired = None

    def _open_segment(self, path: Path, header: SegmentHeader) -> tuple[Any, Any]:
        # To close a file is a call, in which a handler could come in: not in the middle of going on to the next one.
        self._retired = self._bytes
        return SegmentFile(path, header), memoryview(b"").cast("I")


assert RECORD.size == _REST.size + _CHECK.size
