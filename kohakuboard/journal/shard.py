"""The half of the journal that runs inside training: append records to a mapped segment.

`row` is the hottest function of the project: no system call except when a segment is full, no lock, and no work that
could be done by the writer. What it must get right:

* A record that `row` returned for is in the page cache, whole, with its checksum: a SIGKILL loses nothing.
* Other threads, Ctrl-C, a signal handler that logs, or a garbage collector that runs somebody's `__del__` may come in
  at any call. So everything is computed first, against the state that `seq` stands for (whatever moves the state on
  moves `seq`). Then one line compares `seq` and takes the place, and two statements without a call fill it. CPython
  changes threads and handles signals at calls and backward jumps only, so nothing comes in between (but a line tracer,
  which only a program that somebody traces has); an append that came in before makes this one start over. There is no
  lock that a fork could copy held, or a handler could wait for.
* Nothing can leave a hole: a reader stops at the first empty record, and a hole would hide all that lies behind it.

Where Python runs without its global lock, a lock takes its place.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import time as now
from time import time_ns
from typing import Any, Final

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
    checksum,
    segment_name,
    shard_name,
)
from .process import process_start_mark
from .room import FIRST_SEGMENT_BYTES, JOURNAL_LIMIT_BYTES, SEGMENT_BYTES, Room
from .segment import Segment
from .stage import Stage

__all__ = ["Clock", "Shard"]

Clock = Callable[[], float]

RETRY_AFTER_S: Final = 1.0
# The end of each segment is kept for the last events of a board that finishes while no other segment can be had. Half
# of it is for the very last one, the finish.
LAST_WORDS_BYTES: Final = 32 << 10

_HEADER_UNCHECKED: Final = struct.Struct("<IQqqd")


def _checksum_of_long(record: bytes) -> int:
    """Take it piecewise: for more than 5 KiB at once, zlib gives the global lock away and must win it back."""
    check = 1
    for start in range(0, len(record), 4096):
        check = checksum(record[start : start + 4096], check)
    return check


class _Shape:
    """A tuple of metric names with all that a row of them needs, ready."""

    __slots__ = ("check", "pack", "size", "tag")

    def __init__(self, number: int, width: int) -> None:
        row = struct.Struct(f"<IQqqd{width}d")
        self.pack: Callable[..., bytes] = row.pack
        self.check: Callable[[bytes], int] = checksum if row.size <= 4096 else _checksum_of_long
        self.size = row.size + 4
        self.tag = number << 8 | ROW


class Shard:
    """Append the records of one process to `journal/<shard>/`.

    Usable from any thread. Raises OSError when a new segment cannot be had; for RETRY_AFTER_S after that it raises
    the same error again without asking the file system. A directory that was deleted is made anew.

    Args:
        journal: The directory of all shards of the run.
        rank: Of the process among those of its run, or a machine's.
        host: The machine's name.
        limit_bytes: What the shard may take on disk; see Room.
        segment_bytes: The size of a segment, where it is not to be the usual one.

    `on_gap` is called when records were, or may have been, lost before the segment that was opened now: because none
    could be had for a while, or, with True, because the directory was deleted with all that was in it.
    """

    __slots__ = (
        "_after_seq",
        "_bytes",
        "_capacity",
        "_failure",
        "_last_words_bytes",
        "_lock",
        "_number",
        "_offset",
        "_remade",
        "_retry_at",
        "_room",
        "_segment_bytes",
        "_seq",
        "_shape_count",
        "_shapes",
        "_size",
        "_words",
        "directory",
        "identity",
        "on_gap",
        "stage",
    )

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
        pid = os.getpid()
        started = time_ns()
        name = shard_name(rank, started, pid, os.urandom(2).hex())
        self.identity = ShardIdentity(name, rank, pid, host, started, process_start_mark(pid), parent)
        self.directory = journal / name
        self.directory.mkdir(parents=True)
        self.on_gap: Callable[[bool], None] | None = None
        self._room = Room(self.directory, limit_bytes)
        self.stage = Stage(self.directory, self._room)
        self._lock = threading.RLock()
        self._seq = 0
        self._after_seq = -1  # of the last record in a segment that is full
        self._number = 0
        self._segment_bytes = segment_bytes
        self._last_words_bytes = min(LAST_WORDS_BYTES, (segment_bytes or SEGMENT_BYTES) // 8)
        self._shape_count = 0
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._remade = False
        self._failure: OSError | None = None
        self._retry_at = 0.0
        self._bytes, self._words = _UNMAPPED
        self._capacity = self._offset = self._size = 0
        try:
            self._new_segment(0, self._seq)
        except BaseException:
            # A child that tries again and again must not fill the journal with empty shards.
            with suppress(OSError):
                self.directory.rmdir()
            raise

    def row(self, step: int, values: Mapping[str, float], now: Clock = now) -> None:
        """Append one row of scalars; `now` tells the time it is from.

        Raises TypeError, OverflowError or struct.error, and appends nothing, when a value is not a number or the
        step not a 64-bit integer, UnicodeEncodeError when a name is not text that UTF-8 can hold; OSError when there
        is no room for another segment.
        """
        names = tuple(values)
        while True:
            seq = self._seq
            try:
                shape = self._shapes[names]
            except KeyError:
                self._declare(names)
                continue
            offset = self._offset
            end = offset + shape.size
            if end > self._capacity:
                self._new_segment(shape.size, seq)
                continue
            data, words = self._bytes, self._words
            record = shape.pack(shape.size, shape.tag, seq, step, now(), *values.values())
            check = shape.check(record)
            # fmt: off
            if self._seq == seq: self._seq, self._offset = seq + 1, end  # noqa: E701  (one line: see above)
            # fmt: on
            else:
                continue
            data[offset + 4 : end] = record
            words[offset >> 2] = check
            return

    def record(self, kind: int, step: int, payload: bytes, now: Clock = now) -> None:
        """Append an event or a rich record."""
        self._append(kind, step, payload, now)

    def event(self, step: int, event: Mapping[str, Any]) -> None:
        """Append an event: a JSON object with a "type"."""
        self.record(EVENT, step, _encode_event(event))

    def last_event(self, step: int, event: Mapping[str, Any], *, very_last: bool = False) -> None:
        """Append an event of a board that finishes, for which room is kept."""
        # With the lock nobody opens a segment meanwhile, so that none comes behind the one that this may go to.
        with self._lock:
            try:
                self.event(step, event)
            except OSError:
                reach = self._last_words_bytes // (1 if very_last else 2)
                self._append(EVENT, step, _encode_event(event), reach=reach)
                self._after_seq = self._seq - 1

    def move_on(self) -> None:
        """Go on in a new segment, in a new directory if the old one was deleted."""
        self._new_segment(0, self._seq)

    @property
    def seq(self) -> int:
        """Return the seq that the next record will have."""
        return self._seq

    def close(self) -> None:
        """Unmap the current segment; what was appended stays. Appending afterwards raises OSError."""
        with self._lock:
            self._failure, self._retry_at = OSError("the journal is closed"), float("inf")
            self._capacity = self._size = 0
            self._seq += 1
            self._bytes, self._words = _UNMAPPED

    def _declare(self, names: tuple[str, ...]) -> None:
        for name in names:
            if type(name) is not str:
                raise TypeError(f"a metric's name must be a string, not {name!r} ({type(name).__name__})")
        payload = json.dumps(names, ensure_ascii=False).encode()
        number = self._shape_count
        self._shape_count = number + 1
        shape = _Shape(number, len(names))
        # With room for a row behind it: a row needs its shape in the same segment.
        shapes = self._append(number << 8 | SHAPE, 0, payload, now, room_behind=shape.size)
        # Each segment has a dict of its own: should a new one have come in since, the shape is declared once more.
        shapes[names] = shape

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
        """Append a record of any kind; return the shapes of the segment that it is in.

        `reach` is how far it may go into what is kept for last words, and into a segment that was sealed in vain.
        """
        length = RECORD_BYTES + len(payload)
        size = align(length)
        while True:
            seq = self._seq
            offset = self._offset
            capacity = self._size - self._last_words_bytes + reach if reach else self._capacity
            if offset + size + room_behind > capacity:
                self._new_segment(size + room_behind, seq)
                continue
            data, words, shapes, end = self._bytes, self._words, self._shapes, offset + size
            record = _HEADER_UNCHECKED.pack(length, tag, seq, step, now()) + payload
            check = checksum(record)
            # fmt: off
            if self._seq == seq: self._seq, self._offset = seq + 1, end  # noqa: E701  (one line: see above)
            # fmt: on
            else:
                continue
            data[offset + 4 : offset + length] = record
            words[offset >> 2] = check
            return shapes

    def _new_segment(self, needed: int, seq: int) -> None:
        """Go on in a new file with room for a record of `needed` bytes, unless somebody did since `seq` was read."""
        with self._lock:
            if self._seq != seq:
                return
            if self._failure is not None and time.monotonic() < self._retry_at:
                raise OSError(*self._failure.args)
            failed, self._failure = self._failure is not None, None
            # Sealed before its successor exists: a reader that sees the successor takes this one for complete.
            if self._capacity and self._offset > HEADER_BYTES:
                self._after_seq = seq - 1
            self._capacity, self._seq = 0, seq + 1
            number = self._number = self._number + 1
            try:
                data, words, size = self._make_segment(number, needed + self._last_words_bytes)
            except OSError as exc:
                self._note_failure(exc)
                raise
            remade, self._remade = self._remade, False
            # A signal handler that logs may have come in between, and its segment is the later one.
            if self._number == number:
                # The full one is unmapped when the last thread that still writes to it lets go of it.
                self._bytes, self._words, self._shapes = data, words, {}
                self._seq, self._offset, self._size = self._seq + 1, HEADER_BYTES, size
                self._capacity = size - self._last_words_bytes
        if (failed or remade) and self.on_gap is not None:
            self.on_gap(remade)

    def _note_failure(self, failure: OSError) -> None:
        # A copy: the error itself holds on to the frames it came through, and to what their variables hold.
        self._failure, self._retry_at = OSError(*failure.args), time.monotonic() + RETRY_AFTER_S

    def _make_segment(self, number: int, needed: int) -> tuple[Any, Any, int]:
        """Find room for a segment and make it, and its directory if that is gone; return its size, too."""
        if not self.directory.is_dir():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._remade = True
        path = self.directory / segment_name(number)
        standard = self._segment_bytes or (FIRST_SEGMENT_BYTES if number == 1 else SEGMENT_BYTES)
        least = align(HEADER_BYTES + needed + RECORD_BYTES)
        lacking = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for size in self._room.sizes(standard, least, first=number == 1):
            header = SegmentHeader(self._after_seq, size, self.identity)
            try:
                return *self._open_segment(path, header), size
            except OSError as exc:
                if not self._room.is_lacking(exc):
                    raise
                lacking = exc
        raise lacking

    def _open_segment(self, path: Path, header: SegmentHeader) -> tuple[Any, Any]:
        """Make the file of a segment; return what records are stored to, bytes and words."""
        segment = Segment(path, header, header.size)
        return segment.bytes, segment.words


def _encode_event(event: Mapping[str, Any]) -> bytes:
    # "replace": half a surrogate pair is no text that SQLite could store.
    return json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")


_UNMAPPED: Final = (mmap.mmap(-1, mmap.PAGESIZE), memoryview(b"").cast("I"))


if not getattr(sys, "_is_gil_enabled", lambda: True)():
    _row, _append = Shard.row, Shard._append

    def _locked_row(self: Shard, step: int, values: Mapping[str, float], now: Clock = now) -> None:
        with self._lock:
            _row(self, step, values, now)

    def _locked_append(
        self: Shard,
        tag: int,
        step: int,
        payload: bytes,
        now: Clock = now,
        *,
        room_behind: int = 0,
        reach: int = 0,
    ) -> dict[tuple[str, ...], _Shape]:
        with self._lock:
            return _append(self, tag, step, payload, now, room_behind=room_behind, reach=reach)

    Shard.row, Shard._append = _locked_row, _locked_append  # type: ignore[method-assign]


assert RECORD.size == _HEADER_UNCHECKED.size + 4
