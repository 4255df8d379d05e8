"""The format of scalars in Lance: one row is one chunk of one metric.

    metric     string         shard      int64
    seq_lo     lowest seq of the chunk
    seq_hi     last record of the flush it came with, be it of this metric or not: a flush is in as a whole
    ord_lo     how many points this metric had in this shard before: chunks of a metric are put in order by it
    n          points, about 65 536 at most     n_nonfinite    of them NaN or ±inf
    step_lo    step_hi    time_lo    time_hi    the extremes; times in µs since 1970 UTC
    vmin  vmax  vsum  last    of the finite values; null when there are none
    seq_by     step_by    time_by    the distance between most neighbours; null where there is no such
    seq_gaps   step_gaps  time_gaps  how many neighbours have another distance
    axis       how many rows before this one lies the row, in the same fragment, that has its seqs, steps and times
    seqs  steps  times        list of int64     values  list of float64

Metrics that are logged in the same calls share an axis: the same seqs, steps and times. The first of their rows holds
it, at `axis` 0, and the others refer to it and have empty lists. A fragment is only ever written and replaced as a
whole, so the distance stays true.

Where numbers run evenly, as most steps do, `*_lo` and `*_by` say them all, and nobody reads a list. Where they nearly
do, as seqs, which skip at the end of a segment of the journal, the list holds the place and the distance of each gap.
Otherwise it holds the distance of the first from `*_lo`, then of each from the one before it. All arithmetic is modulo
2**64, so nothing overflows.

Measured, bytes a point of times 10 ms apart with jitter and a pause now and then: int64 distances with zstd
1.7 (13 ms to read a million), without zstd, only bit-packed, 2.7–3.0 (4 ms), int32 ones 1.5, but those
overflow; shared by ten metrics 0.2. Values: float32 noise 4.0; float64 noise 7.9, and 7.6 when Lance splits the
bytes of a number first ("bss"), which costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .lance import ZSTD

__all__ = [
    "CHUNK_POINTS",
    "SCHEMA",
    "Points",
    "Series",
    "decode",
    "decode_axes",
    "decode_steps",
    "encode",
    "flat",
]

CHUNK_POINTS: Final = 65_536
LONG_CHUNK: Final = 1000
HIGHEST: Final = 2**63 - 1

Int64 = NDArray[np.int64]
_NOTHING: Final[Int64] = np.empty(0, np.int64)
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Take = Callable[[Int64, Sequence[str]], pa.Table]

# Gaps are noted one by one where no more than one neighbour in so many has one.
POINTS_PER_GAP: Final = 16
# List, first number, distance where it is even, and how many gaps there are then.
AXES: Final = (
    ("seqs", "seq_lo", "seq_by", "seq_gaps"),
    ("steps", "step_lo", "step_by", "step_gaps"),
    ("times", "time_lo", "time_by", "time_gaps"),
)


_INT64_LIST = pa.list_(pa.field("item", pa.int64(), nullable=False, metadata=ZSTD))
_FLOAT64_LIST = pa.list_(
    pa.field("item", pa.float64(), nullable=False, metadata={**ZSTD, "lance-encoding:bss": "on"})
)
_STATISTICS = ("vmin", "vmax", "vsum", "last")
_EVEN = ("seq_by", "step_by", "time_by")
_NULLABLE = (*_STATISTICS, *_EVEN)

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=name in _NULLABLE, metadata=ZSTD)
        for name, kind in {
            "metric": pa.string(),
            "shard": pa.int64(),
            "seq_lo": pa.int64(),
            "seq_hi": pa.int64(),
            "ord_lo": pa.int64(),
            "n": pa.int32(),
            "n_nonfinite": pa.int32(),
            "step_lo": pa.int64(),
            "step_hi": pa.int64(),
            "time_lo": pa.timestamp("us"),
            "time_hi": pa.timestamp("us"),
            **dict.fromkeys(_STATISTICS, pa.float64()),
            **dict.fromkeys(_EVEN, pa.int64()),
            **dict.fromkeys((gaps for *_, gaps in AXES), pa.int32()),
            "axis": pa.int32(),
            "seqs": _INT64_LIST,
            "steps": _INT64_LIST,
            "times": _INT64_LIST,
            "values": _FLOAT64_LIST,
        }.items()
    ]
)


_NAMES: Final = (
    ("seq_lo", "_", "seq_by", "seq_gaps", "seqs"),
    ("step_lo", "step_hi", "step_by", "step_gaps", "steps"),
    ("time_lo", "time_hi", "time_by", "time_gaps", "times"),
)


class Points(NamedTuple):
    """Hold points: `times` in µs since 1970 UTC."""

    seqs: Int64
    steps: Int64
    times: Int64
    values: Float64


class Series(NamedTuple):
    """Say whose points follow each other in flat arrays: an entry for each stretch of a metric of a shard.

    `axes` numbers the axis of each, in the order in which they first appear: `seqs`, `steps` and `times` are laid out
    axis after axis then, `values` stretch after stretch. Without it each stretch has one of its own.
    """

    metrics: list[str]
    shards: NDArray[np.int64]
    seq_hi: Int64
    ord_lo: Int64
    lengths: Int64  # none is 0
    axes: Int64 | None = None


class _Rows(NamedTuple):
    """Say of each row which chunk of which axis it has; `bearers` are the rows that hold the axes' chunks."""

    chunk: Int64
    bearers: Int64
    chunk_n: Int64


def encode(series: Series, points: Points) -> pa.Table:
    """Return the chunks of points that lie series after series."""
    of_series, offsets, n = _split(series.lengths)
    rows = _rows(series, of_series, offsets)
    columns: dict[str, pa.Array] = {
        "metric": pa.array(series.metrics, pa.string()).take(pa.array(of_series)),
        "shard": pa.array(series.shards[of_series]),
        "seq_hi": pa.array(series.seq_hi[of_series]),
        "ord_lo": pa.array(series.ord_lo[of_series] + offsets),
        "n": pa.array(n.astype(np.int32)),
        "axis": pa.array((np.arange(len(n)) - rows.bearers[rows.chunk]).astype(np.int32)),
    }
    for numbers, names in zip((points.seqs, points.steps, points.times), _NAMES, strict=True):
        columns |= zip(names, _encode_integers(numbers, rows), strict=True)
    for name in ("time_lo", "time_hi"):
        columns[name] = columns[name].view(pa.timestamp("us"))
    columns["values"] = pa.ListArray.from_arrays(_offsets(n), pa.array(points.values), type=_FLOAT64_LIST)
    columns |= _statistics(points.values, np.cumsum(n) - n)
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def decode(chunks: pa.Table) -> Points:
    """Return the points of whole fragments, chunk after chunk."""
    bearers = np.arange(chunks.num_rows) - chunks["axis"].to_numpy()
    seqs, steps, times = decode_axes(chunks, bearers, lambda rows, names: chunks.select(names).take(rows))
    return Points(seqs, steps, times, flat(chunks["values"]))


def decode_axes(keys: pa.Table, bearers: Int64, take: Take) -> tuple[Int64, Int64, Int64]:
    """Return the seqs, steps and times of chunks, one chunk after the other.

    Arguments:
        keys: Of each chunk `n`, and `*_lo`, `*_by` and `*_gaps` of the three.
        bearers: The rows that hold their axes.
        take: Returns lists of rows. Only those of chunks that are not even are asked for.

    """
    n = keys["n"].to_numpy().astype(np.int64)
    axes = {name: _axis(keys, n, *stored) for name, *stored in AXES}
    lists = _take_lists(
        {name: bearers[axis.listed] for name, axis in axes.items() if axis.listed.any()}, take
    )
    seqs, steps, times = (_decode_integers(axis, lists.get(name, _NOTHING)) for name, axis in axes.items())
    return seqs, steps, times


def decode_steps(keys: pa.Table, bearers: Int64, take: Take) -> range | Int64:
    """Return the steps alone; a range where they run on evenly through all chunks, which takes neither time nor memory.

    The arguments are those of `decode_axes`.
    """
    axis = _axis(keys, keys["n"].to_numpy().astype(np.int64), "step_lo", "step_by", "step_gaps")
    if (steps := _as_range(axis)) is not None:
        return steps
    found = _take_lists({"steps": bearers[axis.listed]} if axis.listed.any() else {}, take)
    return _decode_integers(axis, found.get("steps", _NOTHING))


def _as_range(axis: _Axis) -> range | None:
    lo, n = axis.lo.tolist(), axis.n.tolist()
    stride = int(axis.by[0]) if n[0] > 1 else lo[1] - lo[0] if len(lo) > 1 else 1
    if stride <= 0 or axis.listed.any() or not np.all((axis.by == stride) | (axis.n == 1)):
        return None
    steps = range(lo[0], lo[0] + stride * sum(n), stride)
    starts = (np.cumsum(axis.n) - axis.n).tolist()
    return steps if [steps[start] for start in starts] == lo else None


def _take_lists(wanted: dict[str, Int64], take: Take) -> dict[str, Int64]:
    """Return the items of lists of rows by name, asking at once for lists of the same rows."""
    together: dict[bytes, list[str]] = {}
    for name, rows in wanted.items():
        together.setdefault(rows.tobytes(), []).append(name)
    found: dict[str, Int64] = {}
    for names in together.values():
        table = take(wanted[names[0]], names)
        found |= {name: flat(table[name]) for name in names}
    return found


def flat(lists: pa.ChunkedArray) -> Any:
    """Return the items of lists, one after the other, as an array."""
    return lists.combine_chunks().flatten().to_numpy()


def _rows(series: Series, of_series: Int64, offsets: Int64) -> _Rows:
    axes = np.arange(len(series.lengths)) if series.axes is None else series.axes
    _, first = np.unique(axes, return_index=True)
    of_axis, _, chunk_n = _split(series.lengths[first])
    starts = np.searchsorted(of_axis, np.arange(len(first)))
    chunk = starts[axes[of_series]] + offsets // CHUNK_POINTS
    _, bearers = np.unique(chunk, return_index=True)
    return _Rows(chunk, bearers, chunk_n)


def _split(lengths: Int64) -> tuple[Int64, Int64, Int64]:
    """Cut series into chunks; return the series of each chunk, its offset in it, and its length.

    A chunk may be half as long again as others, so that none is very short.
    """
    parts = np.maximum((lengths + CHUNK_POINTS // 2) // CHUNK_POINTS, 1)
    of_series = np.repeat(np.arange(len(lengths)), parts)
    offsets = (np.arange(len(of_series)) - np.repeat(np.cumsum(parts) - parts, parts)) * CHUNK_POINTS
    n = np.full(len(of_series), CHUNK_POINTS)
    lasts = np.cumsum(parts) - 1
    n[lasts] = lengths - offsets[lasts]
    return of_series, offsets, n


def _encode_integers(numbers: Int64, rows: _Rows) -> tuple[pa.Array, ...]:
    """Return lo, hi, the even distance and the gaps of each row, and the list of those that hold what is not even."""
    n = rows.chunk_n
    starts = np.cumsum(n) - n
    lo, hi = np.minimum.reduceat(numbers, starts), np.maximum.reduceat(numbers, starts)
    distances = np.diff(numbers, prepend=numbers[:1])
    stride = _strides(distances, starts, n)
    distances[starts] = numbers[starts] - lo
    differs = distances != np.repeat(stride, n)
    differs[starts] = distances[starts] != 0
    gaps = np.add.reduceat(differs, starts, dtype=np.int64)
    uneven = (gaps * POINTS_PER_GAP > n) | differs[starts]
    gaps[uneven] = 0
    lengths = np.zeros(len(rows.chunk), np.int64)
    lengths[rows.bearers] = np.where(uneven, n, 2 * gaps)
    return (
        pa.array(lo[rows.chunk]),
        pa.array(hi[rows.chunk]),
        pa.array(stride[rows.chunk], mask=uneven[rows.chunk]),
        pa.array(gaps[rows.chunk].astype(np.int32)),
        pa.ListArray.from_arrays(
            _offsets(lengths), pa.array(_listed(distances, differs, uneven, gaps, n)), type=_INT64_LIST
        ),
    )


def _strides(distances: Int64, starts: Int64, n: Int64) -> Int64:
    """Return the lowest distance between neighbours of each chunk: seqs and steps skip, and seldom go back."""
    inner = distances.copy()
    inner[starts] = np.where(n > 1, inner[np.minimum(starts + 1, len(inner) - 1)], 0)
    return np.minimum.reduceat(inner, starts)


def _listed(distances: Int64, differs: Bool, uneven: Bool, gaps: Int64, n: Int64) -> Int64:
    """Return the items of the lists, chunk after chunk: all distances, or the place and distance of each gap."""
    if uneven.all():
        return distances
    if not gaps.any():
        return distances[np.repeat(uneven, n)]
    starts = np.cumsum(n) - n
    items = []
    for chunk in np.flatnonzero(uneven | (gaps > 0)).tolist():
        part = slice(starts[chunk], starts[chunk] + n[chunk])
        if uneven[chunk]:
            items.append(distances[part])
        else:
            places = np.flatnonzero(differs[part])
            items.append(np.column_stack((places, distances[part][places])).ravel())
    return np.concatenate(items)


class _Axis(NamedTuple):
    """Say how the numbers of chunks are stored, in arrays of one entry a chunk."""

    lo: Int64
    by: Int64
    gaps: Int64
    uneven: Bool
    n: Int64

    @property
    def listed(self) -> Bool:
        """Tell which chunks have a list."""
        return self.uneven | (self.gaps > 0)

    def items(self, flat_items: Int64) -> list[Int64]:
        """Return the list of each chunk; of those without one an empty one."""
        ends = np.cumsum(np.where(self.uneven, self.n, 2 * self.gaps))
        return np.split(flat_items, ends[:-1])


def _axis(keys: pa.Table, n: Int64, lo: str, by: str, gaps: str) -> _Axis:
    return _Axis(
        lo=_as_int64(keys[lo]),
        by=pc.fill_null(keys[by], 0).to_numpy(),
        gaps=keys[gaps].to_numpy().astype(np.int64),
        uneven=keys[by].is_null().to_numpy(),
        n=n,
    )


def _decode_integers(axis: _Axis, items: Int64) -> Int64:
    """Return the numbers of chunks; `items` are those of their lists, one after the other."""
    n = axis.n
    total = np.empty(n.sum(), np.int64)
    if len(n) * LONG_CHUNK < len(total):
        _decode_each(total, axis, items)
        return total
    starts = np.cumsum(n) - n
    distances = np.repeat(axis.by, n)
    distances[starts] = 0
    if axis.gaps.any():
        lists = axis.items(items)
        for chunk in np.flatnonzero(axis.gaps).tolist():
            distances[starts[chunk] + lists[chunk][::2]] = lists[chunk][1::2]
        items = np.concatenate([lists[chunk] for chunk in np.flatnonzero(axis.uneven)] or [_NOTHING])
    distances[np.repeat(axis.uneven, n)] = items
    np.cumsum(distances, out=total)
    total -= np.repeat(total[starts] - distances[starts] - axis.lo, n)
    return total


def _decode_each(total: Int64, axis: _Axis, items: Int64) -> None:
    """Fill in the numbers chunk by chunk, which is three times quicker where chunks are long."""
    start = 0
    for lo, by, is_uneven, n, listed in zip(
        axis.lo.tolist(),
        axis.by.tolist(),
        axis.uneven.tolist(),
        axis.n.tolist(),
        axis.items(items),
        strict=True,
    ):
        part = total[start : start + n]
        start += n
        if is_uneven:
            np.cumsum(listed, out=part)
        elif len(listed):
            _ramp(part, by, listed[::2].tolist(), listed[1::2])
        elif by == 1 and lo < HIGHEST - n:
            part[:] = np.arange(lo, lo + n)
            continue
        else:
            np.multiply(np.arange(n), by, out=part)
        part += lo


def _ramp(out: Int64, by: int, places: list[int], distances: Int64) -> None:
    """Fill in numbers from 0 on, at one distance but for the gaps: a ramp, moved from each gap to the next."""
    np.multiply(np.arange(len(out)), by, out=out)
    moved = np.cumsum(distances - by)
    for start, stop, offset in zip(places, [*places[1:], len(out)], moved, strict=True):
        out[start:stop] += offset


def _statistics(values: Float64, starts: Int64) -> dict[str, pa.Array]:
    finite = np.isfinite(values)
    only_finite = np.where(finite, values, np.nan)
    # Where the last finite value up to here is: before the start of the chunk when it has none.
    last_finite = np.maximum.accumulate(np.where(finite, np.arange(len(values)), -1))
    last = last_finite[np.append(starts[1:], len(values)) - 1]
    none = last < starts
    with np.errstate(over="ignore", invalid="ignore"):
        columns = {
            "vmin": np.fmin.reduceat(only_finite, starts),
            "vmax": np.fmax.reduceat(only_finite, starts),
            "vsum": np.add.reduceat(np.where(finite, values, 0.0), starts),
            "last": values[last],
        }
    statistics = {name: pa.array(column, mask=none) for name, column in columns.items()}
    statistics["n_nonfinite"] = pa.array(np.add.reduceat(~finite, starts, dtype=np.int32))
    return statistics


def _offsets(lengths: Int64) -> pa.Array:
    return pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))


def _as_int64(column: pa.ChunkedArray) -> Int64:
    return np.asarray(column.combine_chunks().view(pa.int64()).to_numpy())
