"""Write the chunks of several fragments as those of one: fewer, longer, and with as few axes as there are.

Little is in memory at once. The key columns of all rows are; the points are taken from the fragments and given on a
batch at a time. A new chunk takes whole old ones, consecutive ones of its metric. Chunks whose metrics have one axis
are neighbours, so that in a batch, of ten such chunks, the axis is there once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .chunks import AXES, CHUNK_POINTS, Points, Series, Take, decode_axes, encode, flat

__all__ = ["KEYS", "rechunk"]

KEYS: Final = (
    *("metric", "shard", "seq_hi", "ord_lo", "n", "axis"),
    *(name for _, *keys in AXES for name in keys),
)
# A point is one number of its own, and three more if it has an axis to itself.
BATCH_NUMBERS: Final = 13 * CHUNK_POINTS

Int64 = NDArray[np.int64]


class _Unit(NamedTuple):
    """Name the rows that become one chunk: a slice of the sorted rows, and the number of their common axis."""

    start: int
    stop: int
    axis: int


class _Sorted(NamedTuple):
    """Hold the keys of all rows, sorted by shard, metric and order; `rows` and `bearers` are places before sorting."""

    rows: Int64
    bearers: Int64  # the rows that hold their axes
    codes: Int64
    shards: NDArray[np.int64]
    ord_lo: Int64
    seq_hi: Int64
    n: Int64


def rechunk(keys: pa.Table, take: Take, *, batch_numbers: int = BATCH_NUMBERS) -> Iterator[pa.Table]:
    """Give the same points in fewer chunks, order and ordinals kept.

    Arguments:
        keys: The columns KEYS of all rows, fragment after fragment.
        take: Returns columns of rows by their place in `keys`, in that order.
        batch_numbers: How many are in memory at once; a single chunk is, whatever its length.

    """
    if not keys.num_rows:
        return
    metrics = keys["metric"].combine_chunks().dictionary_encode()
    sorted_rows = _sort(keys, metrics.indices.to_numpy())
    for batch in _batches(sorted_rows, _units(sorted_rows), batch_numbers):
        yield _encoded(batch, sorted_rows, keys, metrics.dictionary, take)


def _sort(keys: pa.Table, codes: Int64) -> _Sorted:
    shards, ord_lo, seq_hi, n = (keys[name].to_numpy() for name in ("shard", "ord_lo", "seq_hi", "n"))
    order = np.lexsort([ord_lo, codes, shards])
    bearers = np.arange(len(order)) - keys["axis"].to_numpy()
    return _Sorted(
        rows=order,
        bearers=bearers[order],
        codes=codes[order],
        shards=shards[order],
        ord_lo=ord_lo[order],
        seq_hi=seq_hi[order],
        n=n[order].astype(np.int64),
    )


def _units(rows: _Sorted) -> list[_Unit]:
    """Return the chunks to be, those with one axis beside each other."""
    # What was flushed in between may lie in a fragment of another size, which takes no part in this merge.
    follows = (
        (np.diff(rows.shards) == 0)
        & (np.diff(rows.codes) == 0)
        & (rows.ord_lo[:-1] + rows.n[:-1] == rows.ord_lo[1:])
    )
    heads = np.flatnonzero(np.concatenate(([True], ~follows)))
    before = np.cumsum(rows.n) - rows.n
    before -= np.repeat(before[heads], np.diff(heads, append=len(before)))
    window = before // CHUNK_POINTS
    heads = np.flatnonzero(np.concatenate(([True], ~follows | (np.diff(window) != 0))))
    axes: dict[bytes, int] = {}
    units = [
        _Unit(start, stop, axes.setdefault(rows.bearers[start:stop].tobytes(), len(axes)))
        for start, stop in zip(heads.tolist(), [*heads[1:].tolist(), len(before)], strict=True)
    ]
    return sorted(units, key=lambda unit: unit.axis)


def _batches(rows: _Sorted, units: list[_Unit], limit: int) -> Iterator[list[_Unit]]:
    batch: list[_Unit] = []
    total = 0
    for unit in units:
        points = int(rows.n[unit.start : unit.stop].sum())
        is_shared = bool(batch) and batch[-1].axis == unit.axis
        numbers = points if is_shared else 4 * points
        if batch and total + numbers > limit:
            yield batch
            batch, total, numbers = [], 0, 4 * points
        batch.append(unit)
        total += numbers
    yield batch


def _encoded(batch: list[_Unit], rows: _Sorted, keys: pa.Table, metrics: Any, take: Take) -> pa.Table:
    starts = np.array([unit.start for unit in batch])
    counts = np.array([unit.stop for unit in batch]) - starts
    numbers, first, axes = np.unique([unit.axis for unit in batch], return_index=True, return_inverse=True)
    del numbers
    places = _ranges(starts, counts)
    heads = np.cumsum(counts) - counts
    series = Series(
        metrics=metrics.take(pa.array(rows.codes[starts])).to_pylist(),
        shards=rows.shards[starts],
        seq_hi=np.maximum.reduceat(rows.seq_hi[places], heads),
        ord_lo=rows.ord_lo[starts],
        lengths=np.add.reduceat(rows.n[places], heads),
        axes=axes,
    )
    bearing = rows.bearers[_ranges(starts[first], counts[first])]
    axis_points = decode_axes(keys.take(pa.array(bearing)), bearing, take)
    return encode(series, Points(*axis_points, flat(take(rows.rows[places], ["values"])["values"])))


def _ranges(starts: Int64, counts: Int64) -> Int64:
    """Return the numbers of several ranges, one after the other."""
    ends = np.cumsum(counts)
    numbers: Int64 = np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
    return numbers
