"""Read one segment into columns, from where the last reading stopped.

The headers of records are walked one by one, for their checksums, but for short rows of one shape that follow each
other: those are looked at together. A segment of a run with one metric has 90 000 of them, and to walk these took most
of the time of a first look at it. The values of all rows of one shape are then gathered at once. The file is read, not
mapped: one that somebody cuts short meanwhile would end a process that had it mapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, Column, Damage, Event, RichItem, join_columns
from .bodies import UnreadableRecordError, decode_event, decode_names, decode_rich
from .format import (
    EVENT,
    HEADER_BYTES,
    RECORD,
    RECORD_BYTES,
    RICH,
    ROW,
    SHAPE,
    SegmentHeader,
    align,
    checksum,
)

__all__ = ["SegmentCursor"]

# Most readings find little that is new; the others go on in large parts.
FIRST_READ_BYTES: Final = 64 << 10
READ_BYTES: Final = 4 << 20
# Of longer rows each is checked in less time by itself.
SHORT_BYTES: Final = 256
LEAST_RUN, FIRST_RUN, MOST_RUN = 128, 256, 4096  # rows
ADLER_MODULUS: Final = 65521
# The last second of the year 9999. No clock is beyond it, and no calendar.
MOST_SECONDS: Final = 253_402_300_799.0


class _Rows:
    """Gather where the rows of one shape begin."""

    __slots__ = ("_runs", "are_short", "length", "names", "offsets")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.length = RECORD_BYTES + 8 * len(names)
        self.are_short = self.length <= SHORT_BYTES
        self.offsets: list[int] = []
        self._runs: list[NDArray[np.int64]] = []

    def add_run(self, begin: int, end: int) -> None:
        """Note rows that follow each other."""
        self._runs += [np.array(self.offsets, dtype=np.int64), np.arange(begin, end, self.length)]
        self.offsets = []

    def taken(self) -> NDArray[np.int64]:
        """Return where all of them begin, and forget it."""
        found = [*self._runs, np.array(self.offsets, dtype=np.int64)]
        self._runs, self.offsets = [], []
        return np.concatenate(found) if len(found) > 1 else found[0]


class SegmentCursor:
    """Read a segment whose header is known.

    `offset` is where the next record is expected, `last_seq` that of the last one before it; records are read only as
    long as they rise above it.
    """

    def __init__(self, path: Path, header: SegmentHeader, last_seq: int) -> None:
        self.path = path
        self.place = f"{path.parent.name}/{path.name}"
        self.last_seq = last_seq
        self.offset = HEADER_BYTES
        self.is_broken = False  # what stands at `offset` is neither a record nor the end
        self._size = header.size
        self._shapes: dict[int, _Rows] = {}  # by the tag of their rows
        self._declared: list[_Rows] = []
        self._complained = False

    def read(self) -> Batch:
        """Return what was appended since the last call. Raises FileNotFoundError when the segment is gone."""
        batch = Batch()
        wanted = FIRST_READ_BYTES
        with open(self.path, "rb", buffering=0) as file:
            while True:
                file.seek(self.offset)
                data = file.read(wanted)
                part, needed = self._walk(data)
                batch.extend(part)
                if not needed or len(data) < wanted:
                    return batch
                wanted = max(READ_BYTES, align(needed))

    def damage(self) -> Damage:
        """Word that what lies behind the last record is lost."""
        return Damage(f"{self.place}: damaged at byte {self.offset}; what lies behind that in it is lost")

    def ending(self) -> Damage | None:
        """Return what is damaged at the end, once nobody appends any more.

        A record without a checksum and with no whole one behind it was being written when its process died: the call
        that logged it had not returned, and nothing is damaged. Raises FileNotFoundError when the segment is gone.
        """
        with open(self.path, "rb", buffering=0) as file:
            size = file.seek(0, 2)
            file.seek(self.offset)
            rest = file.readall().rstrip(b"\0")
        if rest[:4].strip(b"\0") or _holds_record(rest):
            return self.damage()
        if size < self._size:
            return Damage(f"{self.place}: cut short, {size} of {self._size} bytes are there")
        return None

    def _walk(self, data: bytes) -> tuple[Batch, int]:
        """Read the records in bytes of the file from `offset` on; return how many bytes the next one needs, too."""
        batch = Batch()
        view, unpack, shapes = memoryview(data), RECORD.unpack_from, self._shapes
        offset, size, last, needed = 0, len(data), self.last_seq, RECORD_BYTES
        run_from, most = 0, FIRST_RUN
        while offset + RECORD_BYTES <= size:
            check, length, tag, seq, step, time_s = unpack(data, offset)
            end = offset + length
            if end > size:
                needed = length
                break
            if length < RECORD_BYTES or seq <= last or checksum(view[offset + 4 : end]) != check:
                needed = 0
                break
            rows = shapes.get(tag)
            if rows is not None and rows.length == length:
                rows.offsets.append(offset)
                if offset >= run_from and rows.are_short:
                    n_rows = _rows_behind(data, offset, length, most)
                    if n_rows:
                        rows.add_run(end, end + n_rows * length)
                        end += n_rows * length
                        seq = unpack(data, end - length)[3]
                    else:
                        run_from = end + LEAST_RUN * length
                    most = min(4 * most, MOST_RUN) if n_rows == most else FIRST_RUN
            else:
                try:
                    payload = bytes(view[offset + RECORD_BYTES : end])
                    self._take(batch, tag, (seq, step, _microseconds(time_s)), payload)
                except UnreadableRecordError as exc:
                    self._complain(batch, self.offset + offset, seq, exc)
            last = seq
            offset = (end + 7) & ~7
        if offset:
            batch.last_seq = self.last_seq = last
        self.is_broken = any(data[offset : offset + 8])
        batch.n_bytes = offset
        self.offset += offset
        self._gather(batch, data)
        return batch, needed

    def _take(self, batch: Batch, tag: int, place: tuple[int, int, int], payload: bytes) -> None:
        """Take in a record that is no row of a known shape."""
        kind, number = tag & 0xFF, tag >> 8
        if kind == SHAPE:
            rows = self._shapes[number << 8 | ROW] = _Rows(decode_names(payload))
            self._declared.append(rows)
        elif kind == EVENT:
            batch.events.append(Event(*place, decode_event(payload)))
        elif kind == RICH:
            scalars, items = decode_rich(payload)
            where = np.array(place, dtype=np.int64)[:, None]
            for name, value in scalars.items():
                point = Column(where[0], where[1], where[2], np.array([value], dtype=np.float64))
                known = batch.columns.get(name)
                batch.columns[name] = point if known is None else join_columns([known, point])
            batch.items += [RichItem(*place, item) for item in items]
        elif kind == ROW:
            raise UnreadableRecordError(
                f"a row of {len(payload)} bytes has no shape number {number} that fits"
            )
        else:
            raise UnreadableRecordError(f"its kind {kind} is unknown")

    def _complain(self, batch: Batch, offset: int, seq: int, error: UnreadableRecordError) -> None:
        """Name the first record that cannot be used: others in the segment are most often of the same making."""
        if not self._complained:
            self._complained = True
            text = (
                f"{self.place}: the record at byte {offset} is left out, and any like it that follow: {error}"
            )
            batch.damage.append(Damage(text, settled=seq))

    def _gather(self, batch: Batch, data: bytes) -> None:
        """Turn the rows that were found into columns."""
        pieces = {name: [column] for name, column in batch.columns.items()}
        words = np.frombuffer(data, dtype="<i8", count=len(data) // 8)
        for found in self._declared:
            offsets = found.taken()
            if not len(offsets):
                continue
            # One gather: seq, step, time and the values lie side by side behind checksum, length and tag.
            index = offsets[:, None] // 8 + np.arange(2, 5 + len(found.names))
            rows = np.ascontiguousarray(words[index].T)
            seconds = np.nan_to_num(rows[2].view(np.float64)).clip(0, MOST_SECONDS)
            times = np.rint(seconds * 1e6).astype(np.int64)
            for name, values in zip(found.names, rows[3:].view(np.float64), strict=True):
                pieces.setdefault(name, []).append(Column(rows[0], rows[1], times, values))
        batch.columns = {name: _in_order(columns) for name, columns in pieces.items()}


def _rows_behind(data: bytes, offset: int, length: int, most: int) -> int:
    """Return how many whole records follow a row that are rows of the same shape, up to `most`; 0 where there are few.

    A row's length is a multiple of 8, so that no padding lies between.
    """
    ahead = offset + LEAST_RUN * length
    if ahead + RECORD_BYTES > len(data) or data[ahead + 4 : ahead + 16] != data[offset + 4 : offset + 16]:
        return 0
    n_rows = min((len(data) - offset) // length, most + 1)
    records = np.frombuffer(data, np.uint8, n_rows * length, offset).reshape(n_rows, length)
    words = records.view("<u8")
    seqs = words[:, 2].view("<i8")
    alike = (words[1:, 0] >> np.uint64(32) == length) & (words[1:, 1] == words[0, 1]) & (seqs[1:] > seqs[:-1])
    n_alike = n_rows - 1 if alike.all() else int(alike.argmin())
    sound = _checksums(records[1 : n_alike + 1, 4:]) == words[1 : n_alike + 1, 0] & np.uint64(0xFFFFFFFF)
    return n_alike if sound.all() else int(sound.argmin())


def _checksums(records: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the Adler-32 of each of n records of one length (bytes, at most SHORT_BYTES), as an array of length n."""
    n_bytes = records.shape[1]
    numbers = records.astype(np.uint32)  # which holds the sums of so few bytes
    low = (1 + np.einsum("ij->i", numbers)) % ADLER_MODULUS
    weights = np.arange(n_bytes, 0, -1, dtype=np.uint32)
    high = (n_bytes + np.einsum("ij,j->i", numbers, weights)) % ADLER_MODULUS
    checksums: NDArray[np.uint64] = high.astype(np.uint64) << np.uint64(16) | low.astype(np.uint64)
    return checksums


def _in_order(columns: list[Column]) -> Column:
    """Join columns of several shapes, which lie between one another, by seq."""
    if len(columns) == 1:
        return columns[0]
    joined = join_columns(columns)
    return joined.take(np.argsort(joined.seqs, kind="stable"))


def _microseconds(time_s: float) -> int:
    return round(min(time_s, MOST_SECONDS) * 1e6) if time_s >= 0 else 0


def _holds_record(data: bytes) -> bool:
    """Tell whether a whole record begins anywhere in the bytes."""
    view = memoryview(data)
    for offset in range(0, len(data) - RECORD_BYTES + 1, 8):
        check, length = RECORD.unpack_from(data, offset)[:2]
        if (
            RECORD_BYTES <= length <= len(data) - offset
            and checksum(view[offset + 4 : offset + length]) == check
        ):
            return True
    return False
