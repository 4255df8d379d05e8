"""The half of the journal that runs inside training: append records to a mapped segment.

`row` is the hottest function of the project. It makes no system call except when a segment is full, holds its lock
for about a microsecond, and does no work that could be done by the writer. What it must get right:

* A record that `row` returned for is in the page cache, whole, with its CRC: a SIGKILL loses nothing.
* Ctrl-C, a signal handler that logs, or a garbage collector that runs somebody's `__del__` may come in anywhere.
  So everything is computed first, then `seq` is compared with what was computed with, and only then is the place
  taken and the bytes written, in statements without a call. An append that came in between makes it start over.
  Nothing can therefore leave a hole that would hide the records behind it.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from time import time_ns
from typing import Any, Final
from zlib import crc32

from .format import (
    EVENT,
    HEADER_BYTES,
    RECORD,
    RECORD_BYTES,
    ROW,
    SHAPE,
    SegmentHeader,
    ShardIdentity,
    align,
    segment_name,
)
from .process import process_start_mark
from .segment import Segment
from .stage import Stage

__all__ = ["Shard"]

FIRST_SEGMENT_BYTES: Final = 1 << 20
SEGMENT_BYTES: Final = 4 << 20
RETRY_AFTER_S: Final = 1.0

_HEADER_LESS_CRC: Final = struct.Struct("<IQqqq")


class _Shape:
    """A tuple of metric names with all that a row of them needs, ready."""

    __slots__ = ("pack", "size", "tag")

    def __init__(self, number: int, width: int) -> None:
        row = struct.Struct(f"<IQqqq{width}d")
        self.pack: Callable[..., bytes] = row.pack
        self.size = row.size + 4
        self.tag = number << 8 | ROW


class Shard:
    """Append the records of one process to `journal/<shard>/`.

    Usable from any thread. Raises OSError when a new segment cannot be had; for RETRY_AFTER_S after that it raises
    the same error again without asking the file system.
    """

    __slots__ = (
        "_bytes",
        "_capacity",
        "_failure",
        "_lock",
        "_number",
        "_offset",
        "_retry_at",
        "_segment",
        "_seq",
        "_shape_count",
        "_shapes",
        "_words",
        "directory",
        "identity",
        "stage",
    )

    def __init__(self, journal: Path, *, rank: int, host: str) -> None:
        pid = os.getpid()
        started = time_ns()
        name = f"r{rank}-{started:x}-{pid:x}-{os.urandom(2).hex()}"
        self.identity = ShardIdentity(name, rank, pid, host, started, process_start_mark(pid))
        self.directory = journal / name
        self.directory.mkdir(parents=True)
        self.stage = Stage(self.directory)
        self._lock = threading.RLock()
        self._seq = 0
        self._number = 0
        self._shape_count = 0
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._failure: OSError | None = None
        self._retry_at = 0.0
        self._segment: Segment | None = None
        self._capacity = self._offset = 0
        self._new_segment(0)

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row of scalars.

        Raises TypeError, OverflowError or struct.error, and appends nothing, when a value is not a number or the
        step not a 64-bit integer; OSError when there is no room for another segment.
        """
        lock = self._lock
        names = tuple(values)
        try:
            # Inside the try, unlike with `with`: an interrupt between the two would leave the lock held.
            lock.acquire()
            while True:
                shape = self._shapes.get(names)
                if shape is None:
                    shape = self._declare(names)
                seq = self._seq
                record = shape.pack(shape.size, shape.tag, seq, step, time_ns(), *values.values())
                crc = crc32(record)
                offset = self._offset
                end = offset + shape.size
                if end > self._capacity:
                    self._new_segment(shape.size)
                elif self._seq == seq:
                    self._seq = seq + 1
                    self._offset = end
                    self._bytes[offset + 4 : end] = record
                    self._words[offset >> 2] = crc
                    return
        finally:
            lock.release()

    def record(self, kind: int, step: int, payload: bytes) -> None:
        """Append an event or a rich record."""
        with self._lock:
            self._append(kind, step, payload)

    def event(self, step: int, event: Mapping[str, Any]) -> None:
        """Append an event: a JSON object with a "type"."""
        self.record(EVENT, step, json.dumps(event, ensure_ascii=False).encode())

    @property
    def seq(self) -> int:
        """Return the seq that the next record will have."""
        return self._seq

    def close(self) -> None:
        """Unmap the current segment; what was appended stays. Appending afterwards raises OSError."""
        with self._lock:
            self._failure, self._retry_at = OSError("the journal is closed"), float("inf")
            self._capacity = 0
            if self._segment is not None:
                del self._bytes, self._words
                self._segment.close()
                self._segment = None

    def _declare(self, names: tuple[str, ...]) -> _Shape:
        for name in names:
            if type(name) is not str:
                raise TypeError(f"a metric's name must be a string, not {name!r} ({type(name).__name__})")
        payload = json.dumps(names, ensure_ascii=False).encode()
        number = self._shape_count
        self._shape_count = number + 1
        shape = _Shape(number, len(names))
        # With room for a row behind it: a row needs its shape in the same segment.
        self._append(number << 8 | SHAPE, 0, payload, room_behind=shape.size)
        self._shapes[names] = shape
        return shape

    def _append(self, tag: int, step: int, payload: bytes, *, room_behind: int = 0) -> None:
        length = RECORD_BYTES + len(payload)
        size = align(length)
        while True:
            seq = self._seq
            record = _HEADER_LESS_CRC.pack(length, tag, seq, step, time_ns()) + payload
            crc = crc32(record)
            offset = self._offset
            if offset + size + room_behind > self._capacity:
                self._new_segment(size + room_behind)
            elif self._seq == seq:
                self._seq = seq + 1
                self._offset = offset + size
                self._bytes[offset + 4 : offset + length] = record
                self._words[offset >> 2] = crc
                return

    def _new_segment(self, needed: int) -> None:
        """Go on in a new file with room for a record of `needed` bytes."""
        if self._failure is not None and time.monotonic() < self._retry_at:
            raise self._failure.with_traceback(None)
        # Sealed before its successor exists: a reader that sees the successor takes this one for complete.
        self._capacity = 0
        number = self._number = self._number + 1
        standard = FIRST_SEGMENT_BYTES if self._segment is None else SEGMENT_BYTES
        header = SegmentHeader(self._seq, self.identity)
        path = self.directory / segment_name(number)
        try:
            segment = Segment(path, header, max(standard, align(HEADER_BYTES + needed + RECORD_BYTES)))
        except OSError as exc:
            self._failure, self._retry_at = exc, time.monotonic() + RETRY_AFTER_S
            raise
        self._failure = None
        self._shapes.clear()
        full = self._segment
        if self._number == number:
            self._segment = segment
            self._bytes, self._words = segment.bytes, segment.words
            self._offset = HEADER_BYTES
            self._capacity = segment.size
            if full is not None:
                full.close()
        else:
            # A signal handler that logs came in between, and its segment is the later one.
            segment.close()


assert RECORD.size == _HEADER_LESS_CRC.size + 4
