"""Scalars in Lance: `ScalarStore` for the run's writer, `ScalarReader` for everybody else.

    store.append([ScalarColumn("train/loss", 0, seqs, steps, times, values)], {0: last_seq})
    [column] = reader.series("train/loss")

What a row holds is drawn in `chunks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .chunks import SCHEMA, Points, Series, decode_axes, decode_steps, encode
from .fragments import Part
from .lance import Session
from .rechunk import KEYS, rechunk
from .snapshot import Snapshot, Snapshots, picked
from .store import Store, highest

__all__ = ["Later", "ScalarColumn", "ScalarReader", "ScalarStore", "ScalarSummary", "StepColumn"]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class ScalarColumn(NamedTuple):
    """Hold points of one metric of one shard in log order: four arrays; `times` in µs since 1970 UTC."""

    metric: str
    shard: int
    seqs: Int64
    steps: Int64
    times: Int64
    values: Float64

    def after(self, seq: int) -> ScalarColumn:
        """Return the points with a higher seq."""
        keep = self.seqs > seq
        if keep.all():
            return self
        points = (self.seqs[keep], self.steps[keep], self.times[keep], self.values[keep])
        return ScalarColumn(self.metric, self.shard, *points)


class StepColumn(NamedTuple):
    """Hold the points of a metric in log order but for their seqs and times; even steps are a range."""

    shard: int
    steps: range | Int64
    values: Float64


class Later(NamedTuple):
    """Hold what there is of a metric after some seqs, and what of all of it is known without reading any points.

    All is of one version, and by shard. A point that two writers committed counts twice in `counts`.
    """

    columns: dict[int, ScalarColumn]
    counts: dict[int, int]
    lowest_steps: dict[int, int]
    committed: dict[int, int]


class ScalarSummary(NamedTuple):
    """Summarise the n points of a metric of one shard, in the words of `chunks`; times in µs since 1970 UTC.

    `vmin`, `vmax`, `vsum` and `last` are of finite values; without any, `vsum` is 0 and the others are nan.
    """

    metric: str
    shard: int
    n: int
    n_nonfinite: int
    vmin: float
    vmax: float
    vsum: float
    last: float
    seq_lo: int
    step_lo: int
    step_hi: int
    time_lo: int
    time_hi: int


class ScalarStore(Store):
    """One writer's scalars. Only the process that holds the run's lock may open it."""

    schema = SCHEMA
    keys = ("metric", "shard", "seq_hi", "ord_lo", "n")
    weight = "n"
    largest_merge = 16_000_000  # a batch of which is in memory at once

    def append(self, columns: Sequence[ScalarColumn], seq_hi: Mapping[int, int]) -> None:
        """Commit one flush; when this returns, it is on the disk.

        Points up to the committed seq of their shard are there already and are left out, so a flush may be
        tried again after an OSError, also with more in it.

        Arguments:
            columns: At most one for each metric of each shard.
            seq_hi: For each shard the seq of the last record of the flush, whatever that record held.

        """
        ledger = self._ledger()
        committed = ledger.committed
        columns = [
            column.after(committed[c.shard]) if (c := column).shard in committed else c for column in columns
        ]
        columns = [column for column in columns if len(column.seqs)]
        if not columns:
            return
        names = [(column.shard, column.metric) for column in columns]
        axes, bearers = _axes(columns)
        series = Series(
            metrics=[column.metric for column in columns],
            shards=np.array([column.shard for column in columns], dtype=np.int64),
            seq_hi=np.array([seq_hi[column.shard] for column in columns], dtype=np.int64),
            ord_lo=np.array([ledger.next_ordinal.get(name, 0) for name in names], dtype=np.int64),
            lengths=np.array([len(column.seqs) for column in columns], dtype=np.int64),
            axes=axes,
        )
        seqs, steps, times = (np.concatenate([bearer[i] for bearer in bearers]) for i in (2, 3, 4))
        values = np.concatenate([column.values for column in columns])
        self._append(encode(series, Points(seqs, steps, times, values)))
        for name, start, length in zip(names, series.ord_lo.tolist(), series.lengths.tolist(), strict=True):
            ledger.next_ordinal[name] = start + length

    def _merged(self, part: Part) -> Iterator[pa.Table]:
        return rechunk(part.read(KEYS), part.take)

    def _next_ordinals(self, keys: pa.Table) -> dict[tuple[int, str], int]:
        ends = pc.add(keys["ord_lo"], keys["n"])
        grouped = pa.table([keys["shard"], keys["metric"], ends], names=["shard", "metric", "end"])
        grouped = grouped.group_by(["shard", "metric"]).aggregate([("end", "max")])
        names = zip(grouped["shard"].to_pylist(), grouped["metric"].to_pylist(), strict=True)
        return dict(zip(names, grouped["end_max"].to_pylist(), strict=True))


class ScalarReader:
    """The scalars of a run, of all its writers, as of the last `refresh`. For one thread at a time.

    Arguments:
        directory: `<run>/scalars`. It need not exist yet.
        session: Lance's caches, where several readers are to share them.

    """

    KEYS = KEYS
    STATISTICS = ("n_nonfinite", "vmin", "vmax", "vsum", "last", "step_hi", "time_hi")

    def __init__(self, directory: Path, *, session: Session | None = None) -> None:
        self._snapshots = Snapshots(directory, self.KEYS, session)
        self._known: tuple[list[tuple[str, int]], dict[int, int]] | None = None

    @property
    def version(self) -> str:
        """Return a word that differs whenever there is something else to be read."""
        return self._snapshots.version

    def refresh(self) -> bool:
        """Look for new points; return whether there may be any. Takes well under a millisecond."""
        return self._snapshots.refresh()

    def committed(self) -> dict[int, int]:
        """Return the highest committed seq of each shard.

        Reading a series may move to a newer version. Ask after it, where the two must agree.
        """
        return dict(self._snapshots.read(self._committed))

    def series(self, metric: str, *, after: Mapping[int, int] | None = None) -> list[ScalarColumn]:
        """Return the points of a metric in log order, one column for each shard; [] when there are none.

        Arguments:
            metric: Its name.
            after: Of a shard only points after this seq are wanted. Chunks before it are not read.

        """
        since = dict(after or {})
        return self._snapshots.read(lambda all_: _series(all_, metric, since))

    def later(self, metric: str, after: Mapping[int, int]) -> Later:
        """Return the points of a metric after a seq of each shard, and what tells whether they are all that is new.

        Chunks before are not read, so that it takes as long as there is anything new.
        """
        return self._snapshots.read(
            lambda all_: Later(
                {column.shard: column for column in _series(all_, metric, after)},
                *_totals(all_, metric),
                dict(self._committed(all_)),
            )
        )

    def by_step(self, metric: str) -> StepColumn | None:
        """Return the points of a metric that one shard logged and one dataset holds, None where there are others, too.

        Seqs and times stay unread, which are most of the work: a million points take half as long as in `series`.
        """
        return self._snapshots.read(lambda all_: _step_column(all_, metric))

    def metrics(self) -> list[ScalarSummary]:
        """Return the summary of each metric of each shard, from the statistics of the chunks alone.

        A point that two writers committed counts twice here.
        """
        columns = [*self.KEYS, *self.STATISTICS]
        tables = self._snapshots.read(lambda all_: [one.scan(columns) for one in all_])
        if not tables:
            return []
        rows = pa.concat_tables(tables).sort_by([("seq_lo", "ascending"), ("ord_lo", "ascending")])
        return sorted(_summaries(rows), key=lambda summary: (summary.shard, summary.seq_lo, summary.metric))

    def _committed(self, snapshots: Sequence[Snapshot]) -> dict[int, int]:
        """Return the highest seq of each shard; found once for each version, as it is asked for at each reading."""
        versions = [(snapshot.name, snapshot.version) for snapshot in snapshots]
        if self._known is None or self._known[0] != versions:
            self._known = versions, _committed(snapshots)
        return self._known[1]


def _axes(columns: Sequence[ScalarColumn]) -> tuple[Int64, list[ScalarColumn]]:
    """Return the number of each column's axis, and the first column of each: those of one call have the same."""
    numbers: list[int] = []
    bearers: list[ScalarColumn] = []
    candidates: dict[tuple[int, ...], list[int]] = {}
    for column in columns:
        seqs, times = column.seqs, column.times
        alike = candidates.setdefault((len(seqs), int(seqs[0]), int(seqs[-1]), int(times[-1])), [])
        number = next((n for n in alike if _have_one_axis(bearers[n], column)), len(bearers))
        if number == len(bearers):
            alike.append(number)
            bearers.append(column)
        numbers.append(number)
    return np.array(numbers), bearers


def _have_one_axis(one: ScalarColumn, other: ScalarColumn) -> bool:
    pairs = ((one.seqs, other.seqs), (one.steps, other.steps), (one.times, other.times))
    return all(a is b or np.array_equal(a, b) for a, b in pairs)


def _committed(snapshots: Iterable[Snapshot]) -> dict[int, int]:
    tables = [snapshot.keys().select(["shard", "seq_hi"]) for snapshot in snapshots]
    return highest(pa.concat_tables(tables)) if tables else {}


def _series(snapshots: Iterable[Snapshot], metric: str, since: Mapping[int, int]) -> list[ScalarColumn]:
    """Return the points of a metric after some seqs, a column for each shard that has any."""
    parts = [part for one in snapshots for part in _columns(one, metric, since)]
    shards = sorted({part.shard for part in parts})
    columns = [_joined([part for part in parts if part.shard == shard]) for shard in shards]
    columns = [column.after(since[column.shard]) if column.shard in since else column for column in columns]
    return [column for column in columns if len(column.seqs)]


def _totals(snapshots: Iterable[Snapshot], metric: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return how many points of a metric each shard has, and the lowest step of each."""
    counts: dict[int, int] = {}
    lowest: dict[int, int] = {}
    for snapshot in snapshots:
        keys, rows = snapshot.keys(), _rows_of(snapshot, metric)
        found = (keys[name].to_numpy()[rows].tolist() for name in ("shard", "n", "step_lo"))
        for shard, n, step in zip(*found, strict=True):
            counts[shard] = counts.get(shard, 0) + n
            lowest[shard] = min(lowest.get(shard, step), step)
    return counts, lowest


def _step_column(snapshots: Iterable[Snapshot], metric: str) -> StepColumn | None:
    places = [(snapshot, found) for snapshot in snapshots if len(found := _rows_of(snapshot, metric))]
    if len(places) != 1:
        return None
    [(snapshot, rows)] = places
    keys = snapshot.keys()
    shards = keys["shard"].to_numpy()[rows]
    if (shards != shards[0]).any():
        return None
    rows = rows[np.argsort(keys["ord_lo"].to_numpy()[rows])]
    bearers = rows - keys["axis"].to_numpy()[rows]
    steps = decode_steps(picked(keys, rows), bearers, snapshot.take_again)
    n_points = int(keys["n"].to_numpy()[rows].sum())
    return StepColumn(int(shards[0]), steps, snapshot.floats(rows, "values", n_points))


def _rows_of(snapshot: Snapshot, metric: str) -> Int64:
    return np.flatnonzero(pc.equal(snapshot.keys()["metric"], metric).to_numpy())


def _columns(snapshot: Snapshot, metric: str, since: Mapping[int, int]) -> list[ScalarColumn]:
    """Return what one dataset has of a metric, a column for each shard, in order."""
    keys = snapshot.keys()
    found = _rows_of(snapshot, metric)
    shards, ord_lo, seq_hi, n = (keys[name].to_numpy()[found] for name in ("shard", "ord_lo", "seq_hi", "n"))
    wanted = np.ones(len(found), dtype=bool)
    for shard, seq in since.items():
        wanted &= (shards != shard) | (seq_hi > seq)
    order = np.lexsort((ord_lo, shards))
    order = order[wanted[order]]
    if not len(order):
        return []
    rows = found[order]
    bearers = rows - keys["axis"].to_numpy()[rows]

    def axes() -> tuple[Int64, Int64, Int64]:
        return decode_axes(picked(keys, rows), bearers, snapshot.take_again)

    def values() -> Float64:
        return snapshot.floats(rows, "values", int(n.sum()))

    shards, n = shards[order], n[order]
    if snapshot.in_memory:  # a thread takes longer
        points = Points(*axes(), values())
    else:
        with ThreadPoolExecutor(1) as beside:
            waiting = beside.submit(values)
            points = Points(*axes(), waiting.result())
    heads = np.flatnonzero(np.diff(shards, prepend=shards[0] - 1))
    cuts = np.cumsum(np.add.reduceat(n, heads, dtype=np.int64))[:-1]
    pieces = zip(*(np.split(array, cuts) for array in points), strict=True)
    return [
        ScalarColumn(metric, int(shard), *piece) for shard, piece in zip(shards[heads], pieces, strict=True)
    ]


def _joined(columns: list[ScalarColumn]) -> ScalarColumn:
    """Join what several datasets have of one shard. A point that two writers committed is one point."""
    if len(columns) == 1:
        return columns[0]
    points = [np.concatenate(arrays) for arrays in zip(*(column[2:] for column in columns), strict=True)]
    _, first = np.unique(points[0], return_index=True)
    return ScalarColumn(columns[0].metric, columns[0].shard, *(array[first] for array in points))


def _summaries(rows: pa.Table) -> list[ScalarSummary]:
    rows = rows.set_column(rows.schema.get_field_index("time_lo"), "time_lo", _integers(rows["time_lo"]))
    rows = rows.set_column(rows.schema.get_field_index("time_hi"), "time_hi", _integers(rows["time_hi"]))
    wanted = {
        "n": "sum",
        "n_nonfinite": "sum",
        "vmin": "min",
        "vmax": "max",
        "vsum": "sum",
        "last": "last",
        "seq_lo": "min",
        "step_lo": "min",
        "step_hi": "max",
        "time_lo": "min",
        "time_hi": "max",
    }
    # "last" wants its rows in order, which only one thread keeps.
    grouped = rows.group_by(["metric", "shard"], use_threads=False).aggregate(list(wanted.items()))
    columns = [grouped[name].to_pylist() for name in ("metric", "shard")]
    columns += [
        pc.fill_null(grouped[f"{name}_{how}"], _NONE.get(name, 0)).to_pylist() for name, how in wanted.items()
    ]
    return [ScalarSummary(*row) for row in zip(*columns, strict=True)]


_NONE = dict.fromkeys(("vmin", "vmax", "last"), float("nan"))


def _integers(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([times.combine_chunks().view(pa.int64())])
