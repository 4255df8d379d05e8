"""Histograms in Lance: `HistogramStore` for the run's writer, `HistogramReader` for everybody else.

    store.append([HistogramColumn("weights", 0, seqs, steps, times, counts, edges)], {0: last_seq})
    found = reader.series("weights")

One row is one histogram:

    metric  shard  seq  step  time     where it was logged; time in µs since 1970 UTC
    seq_hi      last record of the flush it came with: a flush is in as a whole
    lo  hi      the outermost edges
    bins        how many
    n_nan  n_posinf  n_neginf    values that are in no bin
    counts      list of int64, null of a compact histogram
    codes       list of bytes, a count each (see count_codes.py), null of an exact one
    edges       list of float64, null where numpy.linspace(lo, hi, bins + 1) gives exactly these (94 bytes a
                histogram against 609)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .count_codes import codes_of, counts_of
from .fragments import Part
from .lance import ZSTD, Session
from .snapshot import Snapshot, Snapshots
from .store import Store, highest

__all__ = ["HistogramColumn", "HistogramReader", "HistogramRows", "HistogramStore"]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

_COUNTS = pa.list_(pa.field("item", pa.int64(), nullable=False, metadata=ZSTD))
_CODES = pa.list_(pa.field("item", pa.uint8(), nullable=False, metadata=ZSTD))
_EDGES = pa.list_(pa.field("item", pa.float64(), nullable=False, metadata=ZSTD))

_NULLABLE = ("counts", "codes", "edges")
_NONFINITE = ("n_nan", "n_posinf", "n_neginf")

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=name in _NULLABLE, metadata=ZSTD)
        for name, kind in {
            "metric": pa.string(),
            "shard": pa.int64(),
            "seq": pa.int64(),
            "seq_hi": pa.int64(),
            "step": pa.int64(),
            "time": pa.timestamp("us"),
            "lo": pa.float64(),
            "hi": pa.float64(),
            "bins": pa.int32(),
            "n_nan": pa.int64(),
            "n_posinf": pa.int64(),
            "n_neginf": pa.int64(),
            "counts": _COUNTS,
            "codes": _CODES,
            "edges": _EDGES,
        }.items()
    ]
)


class HistogramColumn(NamedTuple):
    """Hold S histograms of one metric of one shard in log order; `times` in µs since 1970 UTC.

    `counts[i]` has B elements and `edges[i]` B + 1; B may differ from one to the next. `nonfinite` is (3, S):
    how many values are NaN, +inf and -inf, none where it is not given. `compact` (S) tells of which counts one
    byte each is stored, of none where it is not given.
    """

    metric: str
    shard: int
    seqs: Int64
    steps: Int64
    times: Int64
    counts: Sequence[Int64] | Int64
    edges: Sequence[Float64] | Float64
    nonfinite: Int64 | None = None
    compact: NDArray[np.bool_] | None = None


class HistogramRows(NamedTuple):
    """Hold the S histograms of a metric, in log order within each shard; `times` in µs since 1970 UTC.

    `counts` is (S, B) and `edges` (S, B + 1), where B is the largest number of bins there is. Where a
    histogram has fewer (`bins`), it is followed by empty bins of no width at its upper edge: its area, its
    sum and a drawing of it stay the same.
    """

    shards: NDArray[np.int64]
    seqs: Int64
    steps: Int64
    times: Int64
    counts: Int64
    edges: Float64
    bins: Int64
    n_nan: Int64
    n_posinf: Int64
    n_neginf: Int64


class HistogramStore(Store):
    """One writer's histograms. Only the process that holds the run's lock may open it."""

    schema = SCHEMA
    keys = ("shard", "seq_hi", "bins")
    weight = "bins"
    largest_merge = 1_000_000  # all of it is in memory at once

    def append(self, columns: Sequence[HistogramColumn], seq_hi: Mapping[int, int]) -> None:
        """Commit one flush; when this returns, it is on the disk.

        Histograms up to the committed seq of their shard are there already and are left out, so a flush may
        be tried again after an OSError, also with more in it. Raises ValueError when counts and edges do not
        fit.

        Arguments:
            columns: At most one for each metric of each shard.
            seq_hi: For each shard the seq of the last record of the flush, whatever that record held.

        """
        committed = self._ledger().committed
        tables = [_encode(column, seq_hi[column.shard], committed.get(column.shard)) for column in columns]
        table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        if table.num_rows:
            self._append(table.combine_chunks())

    def _merged(self, part: Part) -> Iterator[pa.Table]:
        table = part.read(self.schema.names)
        order = pc.sort_indices(
            table, [("shard", "ascending"), ("metric", "ascending"), ("seq", "ascending")]
        )
        yield table.take(order).combine_chunks()


class HistogramReader:
    """The histograms of a run, of all its writers, as of the last `refresh`. For one thread at a time.

    Arguments:
        directory: `<run>/histograms`. It need not exist yet.
        session: Lance's caches, where several readers are to share them.

    """

    KEYS = ("metric", "shard", "seq", "seq_hi")

    def __init__(self, directory: Path, *, session: Session | None = None) -> None:
        self._snapshots = Snapshots(directory, self.KEYS, session)

    @property
    def version(self) -> str:
        """Return a word that differs whenever there is something else to be read."""
        return self._snapshots.version

    def refresh(self) -> bool:
        """Look for new histograms; return whether there may be any."""
        return self._snapshots.refresh()

    def committed(self) -> dict[int, int]:
        """Return the highest committed seq of each shard. See `ScalarReader.committed`."""
        return self._snapshots.read(_committed)

    def metrics(self) -> list[str]:
        """Return the names there are."""
        return sorted(self._snapshots.read(_names))

    def series(self, metric: str) -> HistogramRows | None:
        """Return the histograms of a metric, None when there are none."""
        tables = self._snapshots.read(
            lambda all_: [part for one in all_ if (part := _rows(one, metric)).num_rows]
        )
        return _decode(_joined(tables)) if tables else None


def _committed(snapshots: Iterable[Snapshot]) -> dict[int, int]:
    tables = [snapshot.keys().select(["shard", "seq_hi"]) for snapshot in snapshots]
    return highest(pa.concat_tables(tables)) if tables else {}


def _names(snapshots: Iterable[Snapshot]) -> set[str]:
    return {name for snapshot in snapshots for name in snapshot.keys()["metric"].unique().to_pylist()}


def _rows(snapshot: Snapshot, metric: str) -> pa.Table:
    """Return what one dataset has of a metric, in order."""
    keys = snapshot.keys()
    found = np.flatnonzero(pc.equal(keys["metric"], metric).to_numpy())
    order = np.lexsort((keys["seq"].to_numpy()[found], keys["shard"].to_numpy()[found]))
    columns = [name for name in SCHEMA.names if name not in ("metric", "seq_hi")]
    return snapshot.take(found[order], columns) if len(found) else SCHEMA.empty_table().select(columns)


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Join what several datasets have. What two writers committed of one record is taken from the first."""
    if len(tables) == 1:
        return tables[0]
    kept: list[pa.Table] = []
    seen: set[tuple[int, int]] = set()
    for table in tables:
        records = list(zip(table["shard"].to_pylist(), table["seq"].to_pylist(), strict=True))
        kept.append(table.filter(pa.array([record not in seen for record in records])))
        seen.update(records)
    return pa.concat_tables(kept).sort_by([("shard", "ascending"), ("seq", "ascending")])


def _encode(column: HistogramColumn, seq_hi: int, committed: int | None) -> pa.Table:
    new = range(len(column.seqs)) if committed is None else np.flatnonzero(column.seqs > committed).tolist()
    counts = [np.asarray(column.counts[i], dtype=np.int64) for i in new]
    edges = [np.asarray(column.edges[i], dtype=np.float64) for i in new]
    _check(column.metric, counts, edges)
    size = len(column.seqs)
    nonfinite = np.zeros((3, size), np.int64) if column.nonfinite is None else column.nonfinite
    compact = np.zeros(size, np.bool_) if column.compact is None else column.compact
    chosen = np.array(new, dtype=np.int64)
    columns = [
        pa.array([column.metric] * len(new), pa.string()),
        pa.array([column.shard] * len(new), pa.int64()),
        pa.array(column.seqs[chosen]),
        pa.array([seq_hi] * len(new), pa.int64()),
        pa.array(column.steps[chosen]),
        pa.array(column.times[chosen]).view(pa.timestamp("us")),
        pa.array([row[0] for row in edges], pa.float64()),
        pa.array([row[-1] for row in edges], pa.float64()),
        pa.array([len(row) for row in counts], pa.int32()),
        *(pa.array(kind[chosen], pa.int64()) for kind in nonfinite),
        pa.array([None if compact[i] else row for i, row in zip(new, counts, strict=True)], _COUNTS),
        pa.array([codes_of(row) if compact[i] else None for i, row in zip(new, counts, strict=True)], _CODES),
        pa.array([None if _is_even(row) else row for row in edges], _EDGES),
    ]
    return pa.table(columns, schema=SCHEMA)


def _check(metric: str, counts: Sequence[Int64], edges: Sequence[Float64]) -> None:
    for count, edge in zip(counts, edges, strict=True):
        if len(count) + 1 != len(edge):
            raise ValueError(
                f"a histogram of {metric!r} has {len(count)} counts and {len(edge)} edges; one more is right"
            )


def _is_even(edges: Float64) -> bool:
    return bool(np.array_equal(edges, _even_edges(edges[:1], edges[-1:], len(edges) - 1)[0]))


def _even_edges(lo: Float64, hi: Float64, bins: int) -> Float64:
    """Return bins of one width, (S, bins + 1)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linspace(lo, hi, bins + 1, axis=-1)


def _decode(rows: pa.Table) -> HistogramRows:
    bins = rows["bins"].to_numpy().astype(np.int64)
    width = int(bins.max())
    counts, edges = np.zeros((len(bins), width), np.int64), np.empty((len(bins), width + 1))
    used, exact = np.arange(width) < bins[:, None], ~rows["counts"].is_null().to_numpy()
    counts[used & exact[:, None]] = rows["counts"].combine_chunks().flatten().to_numpy()
    counts[used & ~exact[:, None]] = counts_of(rows["codes"].combine_chunks().flatten().to_numpy())
    edges[:] = rows["hi"].to_numpy()[:, None]
    even = rows["edges"].is_null().to_numpy()
    for size in np.unique(bins[even]).tolist():
        of_size = np.flatnonzero(even & (bins == size))
        lo, hi = (rows[name].to_numpy()[of_size] for name in ("lo", "hi"))
        edges[of_size, : size + 1] = _even_edges(lo, hi, size)
    given = (np.arange(width + 1) <= bins[:, None]) & ~even[:, None]
    edges[given] = rows["edges"].combine_chunks().flatten().to_numpy()
    return HistogramRows(
        shards=rows["shard"].to_numpy(),
        seqs=rows["seq"].to_numpy(),
        steps=rows["step"].to_numpy(),
        times=rows["time"].combine_chunks().view(pa.int64()).to_numpy(),
        counts=counts,
        edges=edges,
        bins=bins,
        **{name: rows[name].to_numpy() for name in _NONFINITE},
    )
