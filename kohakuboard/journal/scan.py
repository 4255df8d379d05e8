"""The half of the journal that reads: decode segments into columns, from where the last reading stopped.

Used by the writer, which commits what it reads, and by every reader, which merges in what is not committed yet. The
headers are walked one by one, for their CRCs; the values of all rows of one shape are then gathered at once.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from .format import (
    EVENT,
    HEADER_BYTES,
    RECORD,
    RECORD_BYTES,
    RICH,
    ROW,
    SEGMENT_SUFFIX,
    SHAPE,
    ShardIdentity,
    align,
    decode_header,
)

__all__ = [
    "Batch",
    "Column",
    "Event",
    "RichItem",
    "ShardCursor",
    "join_columns",
    "merge_events",
    "shard_directories",
]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Source = TypeVar("Source")


class Column(NamedTuple):
    """Hold points of one metric in log order: four arrays of length n; `times` in µs since 1970 UTC."""

    seqs: Int64
    steps: Int64
    times: Int64
    values: Float64

    def take(self, which: slice | Int64) -> Column:
        """Return some of the points."""
        return Column(self.seqs[which], self.steps[which], self.times[which], self.values[which])

    def after(self, seq: int) -> Column:
        """Return the points with a higher seq."""
        start = int(np.searchsorted(self.seqs, seq, side="right"))
        return self if start == 0 else self.take(slice(start, None))


class Event(NamedTuple):
    """Hold one event; `time_us` in µs since 1970 UTC."""

    seq: int
    step: int
    time_us: int
    body: dict[str, Any]


class RichItem(NamedTuple):
    """Hold one rich value: `body` as the training process wrote it."""

    seq: int
    step: int
    time_us: int
    body: dict[str, Any]


@dataclass(slots=True)
class Batch:
    """Hold what one reading found. `last_seq` is -1 when it found nothing."""

    columns: dict[str, Column] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    items: list[RichItem] = field(default_factory=list)
    last_seq: int = -1
    n_bytes: int = 0
    damage: list[str] = field(default_factory=list)

    @property
    def n_points(self) -> int:
        """Return the number of scalar points."""
        return sum(len(column.seqs) for column in self.columns.values())

    def extend(self, other: Batch) -> None:
        """Take in what a later reading of the same shard found."""
        for name, column in other.columns.items():
            known = self.columns.get(name)
            self.columns[name] = column if known is None else join_columns([known, column])
        self.events += other.events
        self.items += other.items
        self.last_seq = max(self.last_seq, other.last_seq)
        self.n_bytes += other.n_bytes
        self.damage += other.damage


def join_columns(columns: Sequence[Column]) -> Column:
    """Put the points of several columns, each in log order, behind one another."""
    if len(columns) == 1:
        return columns[0]
    return Column(*(np.concatenate(arrays) for arrays in zip(*columns, strict=True)))


def merge_events(sources: Iterable[tuple[Sequence[Event], Source]]) -> list[tuple[Event, Source]]:
    """Put the events of several shards in the order of their time, never changing the order within a shard.

    A clock may be set back: an event counts as no earlier than those before it in its shard.
    """
    timed: list[tuple[int, Event, Source]] = []
    for events, source in sources:
        latest = 0
        for event in events:
            latest = max(latest, event.time_us)
            timed.append((latest, event, source))
    return [(event, source) for _, event, source in sorted(timed, key=lambda entry: entry[0])]


def shard_directories(journal: Path) -> list[Path]:
    """Return the shards of a journal in the order of their start."""
    try:
        found = [path for path in journal.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    # A name is r<rank>-<start in ns, hexadecimal>-<pid>-<random>.
    return sorted(found, key=lambda path: (path.name.split("-")[1:2], path.name))


def segment_paths(shard: Path) -> list[Path]:
    """Return the segments of a shard in order."""
    try:
        return sorted(path for path in shard.iterdir() if path.suffix == SEGMENT_SUFFIX)
    except FileNotFoundError:
        return []


class _Found:
    """Gather records of one walk, rows by their shape."""

    def __init__(self) -> None:
        self.rows: dict[int, list[int]] = {}
        self.rich: list[tuple[int, int, int, bytes]] = []
        self.batch = Batch()


class _SegmentCursor:
    """Read one segment from where it was left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.identity: ShardIdentity | None = None
        self.torn = False
        self._shapes: dict[int, tuple[str, ...]] = {}

    def read(self) -> Batch:
        """Return what was appended since the last call. Raises FileNotFoundError when the segment is gone."""
        with open(self.path, "rb") as file:
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # empty: it is being made
                return Batch()
        with mapped, memoryview(mapped) as view:
            if self.identity is None and not self._read_header(view):
                return Batch()
            found = self._walk(view)
            return _decode(found, view, self._shapes)

    def _read_header(self, view: memoryview) -> bool:
        header = decode_header(view)
        if header is None:
            self.torn = len(view) >= HEADER_BYTES and any(view[:HEADER_BYTES])
            return False
        self.identity, self.offset = header.identity, HEADER_BYTES
        return True

    def _walk(self, view: memoryview) -> _Found:
        found = _Found()
        batch, offset, end = found.batch, self.offset, len(view) - RECORD_BYTES
        unpack = RECORD.unpack_from
        self.torn = False
        while offset <= end:
            crc, length, tag, seq, step, time_s = unpack(view, offset)
            if length == 0:
                self.torn = crc != 0
                break
            if (
                length < RECORD_BYTES
                or offset + length > len(view)
                or crc32(view[offset + 4 : offset + length]) != crc
            ):
                self.torn = True
                break
            kind = tag & 0xFF
            if kind == ROW:
                found.rows.setdefault(tag >> 8, []).append(offset)
            else:
                payload = bytes(view[offset + RECORD_BYTES : offset + length])
                self._take(found, kind, tag >> 8, (seq, step, round(time_s * 1e6), payload))
            batch.last_seq = seq
            offset += align(length)
        batch.n_bytes = offset - self.offset
        self.offset = offset
        return found

    def _take(self, found: _Found, kind: int, number: int, record: tuple[int, int, int, bytes]) -> None:
        seq, step, time_us, payload = record
        if kind == SHAPE:
            self._shapes[number] = tuple(json.loads(payload))
        elif kind == EVENT:
            found.batch.events.append(Event(seq, step, time_us, json.loads(payload)))
        elif kind == RICH:
            found.rich.append(record)
        else:
            found.batch.damage.append(f"{self.path.name}: a record of unknown kind {kind} was left out")


def _decode(found: _Found, view: memoryview, shapes: dict[int, tuple[str, ...]]) -> Batch:
    pieces: dict[str, list[Column]] = {}
    words = np.frombuffer(view, dtype="<i8", count=len(view) // 8)
    for number, offsets in found.rows.items():
        names = shapes[number]
        # One gather: seq, step, time and the values lie side by side behind CRC, length and tag.
        index = np.array(offsets)[:, None] // 8 + np.arange(2, 5 + len(names))
        rows = np.ascontiguousarray(words[index].T)
        times = np.rint(rows[2].view(np.float64) * 1e6).astype(np.int64)
        for name, values in zip(names, rows[3:].view(np.float64), strict=True):
            pieces.setdefault(name, []).append(Column(rows[0], rows[1], times, values))
    del words
    for record in found.rich:
        _decode_rich(record, pieces, found.batch)
    found.batch.columns = {name: _in_order(columns) for name, columns in pieces.items()}
    return found.batch


def _decode_rich(record: tuple[int, int, int, bytes], pieces: dict[str, list[Column]], batch: Batch) -> None:
    seq, step, time_us, payload = record
    body = msgspec.msgpack.decode(payload)
    for name, value in body["scalars"].items():
        where = np.array([[seq], [step], [time_us]], dtype=np.int64)
        point = Column(where[0], where[1], where[2], np.array([value], dtype=np.float64))
        pieces.setdefault(name, []).append(point)
    batch.items += [RichItem(seq, step, time_us, item) for item in body["items"]]


def _in_order(columns: list[Column]) -> Column:
    """Join columns of several shapes, which lie between one another, by seq."""
    if len(columns) == 1:
        return columns[0]
    joined = join_columns(columns)
    return joined.take(np.argsort(joined.seqs, kind="stable"))


class ShardCursor:
    """Read a shard from its first segment that is still there, and go on from call to call.

    `identity` is known after the first reading of a whole header. `consumed` are segments read to their end: their
    successor exists, so nothing will be appended to them.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.identity: ShardIdentity | None = None
        self.consumed: list[Path] = []
        self._segment: _SegmentCursor | None = None

    def read(self, limit_bytes: int | None = None) -> Batch:
        """Return everything appended since the last call, or, with a limit, the segments that first reach it."""
        total = Batch()
        for batch in self._batches():
            total.extend(batch)
            if limit_bytes is not None and total.n_bytes >= limit_bytes:
                break
        return total

    def _batches(self) -> Iterator[Batch]:
        while True:
            # Asked before reading: a segment whose successor exists then gets no more records.
            successor = self._successor()
            if self._segment is None:
                if successor is None:
                    return
                self._segment = _SegmentCursor(successor)
                continue
            try:
                batch = self._segment.read()
            except FileNotFoundError:  # committed and deleted by the writer while we looked
                batch = Batch()
            self.identity = self.identity or self._segment.identity
            if self._segment.torn and successor is not None:
                batch.damage.append(self._damage())
            yield batch
            if successor is None:
                return
            self.consumed.append(self._segment.path)
            self._segment = _SegmentCursor(successor)

    def _successor(self) -> Path | None:
        current = self._segment.path.name if self._segment is not None else ""
        return next((path for path in segment_paths(self.directory) if path.name > current), None)

    def _damage(self) -> str:
        assert self._segment is not None
        place = f"{self.directory.name}/{self._segment.path.name}"
        return (
            f"{place}: damaged at byte {self._segment.offset}; what lies behind that in this segment is lost"
        )
