"""A run's points by shard: what Lance has, and behind it what the journal's tail has beyond that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..journal.scan import Column, join_columns

if TYPE_CHECKING:
    from ..storage.histograms import HistogramReader
    from ..storage.scalars import ScalarReader

__all__ = ["NO_POINTS", "UNSEEN", "Stores", "Stretch", "as_array", "in_time_order"]


Int64 = NDArray[np.int64]

_NOTHING: Final = np.empty(0, dtype=np.int64)
NO_POINTS: Final = Column(_NOTHING, _NOTHING, _NOTHING, np.empty(0))
# Beyond every seq: of such a shard nothing is read.
UNSEEN: Final = 2**63 - 1


class Stretch(NamedTuple):
    """Hold the points of a metric that a shard has after some seq, and what there was before.

    `known` is how many there are up to that seq. Up to `seq` there are none but those and the newer ones.
    """

    known: int
    newer: Column
    seq: int
    lowest_step: int


class Stores:
    """Open the Lance datasets of a run when they are first asked for; lance takes 0.3 s to import."""

    def __init__(self, run: str) -> None:
        self._directory = run
        self._scalars: ScalarReader | None = None
        self._histograms: HistogramReader | None = None
        self._scalars_stale = self._histograms_stale = True
        self._media_seen: tuple[tuple[tuple[int, int, int] | None, ...], bool] | None = None

    @property
    def _run(self) -> Path:
        return Path(self._directory)

    def expire(self) -> None:
        """Look for newer versions at the next reading."""
        self._scalars_stale = self._histograms_stale = True

    def problems(self) -> list[str]:
        """Return what of the datasets and of media.db is damaged, in words."""
        found = ["media.db is damaged"] if self._is_media_damaged() else []
        paths = [
            path for kind in ("scalars", "histograms") for path in sorted(self._run.glob(f"{kind}/*.lance"))
        ]
        if paths:
            from ..storage.repair import complaints

            found += [text for path in paths for text in complaints(path)]
        return found

    def _is_media_damaged(self) -> bool:
        """Tell whether media.db can be read; looked at again when it is another, as that takes 20 ms of a large one."""
        from ..storage.database import is_damaged

        path = self._run / "media.db"
        state = tuple(_stamp(path.with_name(path.name + suffix)) for suffix in ("", "-wal", "-journal"))
        if self._media_seen is None or self._media_seen[0] != state:
            self._media_seen = state, is_damaged(path)
        return self._media_seen[1]

    @property
    def scalars(self) -> ScalarReader | None:
        """Return the reader of scalars, None while there are none."""
        if self._scalars is None and (self._run / "scalars").is_dir():
            from ..storage.scalars import ScalarReader

            self._scalars = ScalarReader(self._run / "scalars")
        elif self._scalars is not None and self._scalars_stale:
            self._scalars.refresh()
        self._scalars_stale = False
        return self._scalars

    @property
    def histograms(self) -> HistogramReader | None:
        """Return the reader of histograms, None while there are none."""
        if self._histograms is None and (self._run / "histograms").is_dir():
            from ..storage.histograms import HistogramReader

            self._histograms = HistogramReader(self._run / "histograms")
        elif self._histograms is not None and self._histograms_stale:
            self._histograms.refresh()
        self._histograms_stale = False
        return self._histograms

    def columns(
        self, name: str, tail: Mapping[str, Column], shard_names: Mapping[int, str]
    ) -> dict[str, Column]:
        """Return the points of a metric by shard: from Lance, then those of the tail that Lance has not.

        A shard whose name nobody knows goes by its number.
        """
        reader = self.scalars
        if reader is None:
            return dict(tail)
        # In this order: reading may move on to a newer version, whose last seqs are the ones that count.
        found = reader.series(name)
        committed = {shard_names.get(number, str(number)): seq for number, seq in reader.committed().items()}
        columns = {
            shard_names.get(part.shard, str(part.shard)): Column(
                part.seqs, part.steps, part.times, part.values
            )
            for part in found
        }
        for shard, column in tail.items():
            newer = column.after(committed.get(shard, -1))
            columns[shard] = join_columns([columns[shard], newer]) if shard in columns else newer
        return columns

    def by_step(
        self, name: str, tail: Mapping[str, Column], shard_names: Mapping[int, str]
    ) -> tuple[str, range | Int64, NDArray[np.float64]] | None:
        """Return shard, steps and values of a metric that one shard alone logged, None where that is not so."""
        reader = self.scalars
        found = reader.by_step(name) if reader is not None else None
        if reader is None or found is None:
            return None
        shard = shard_names.get(found.shard, str(found.shard))
        if not tail.keys() <= {shard}:
            return None
        newer = tail[shard].after(reader.committed().get(found.shard, -1)) if tail else None
        if newer is None or not len(newer.seqs):
            return shard, found.steps, found.values
        steps = np.concatenate([as_array(found.steps), newer.steps])
        return shard, steps, np.concatenate([found.values, newer.values])

    def stretches(
        self, name: str, tail: Mapping[str, Column], shard_names: Mapping[int, str], after: Mapping[str, int]
    ) -> dict[str, Stretch]:
        """Return what each shard that logged a metric has of it; the points are read of those after a seq.

        Of a shard that `after` does not name no points are read.
        """
        reader = self.scalars
        since = {number: after.get(shard, UNSEEN) for number, shard in shard_names.items()}
        columns, counts, lowest, committed = reader.later(name, since) if reader else ({}, {}, {}, {})
        stretches = {}
        for number, shard in shard_names.items():
            if number not in counts and shard not in tail:
                continue
            stored = Column(*columns[number][2:]) if number in columns else NO_POINTS
            seq = committed.get(number, -1)
            waiting = tail.get(shard, NO_POINTS).after(seq)
            known = counts.get(number, 0) - len(stored.seqs) + len(waiting.up_to(since[number]).seqs)
            newer = join_columns([stored, waiting.after(since[number])])
            steps = [
                *([lowest[number]] if number in lowest else []),
                *([int(waiting.steps.min())] if len(waiting.steps) else []),
            ]
            if steps:
                stretches[shard] = Stretch(known, newer, max([seq, *waiting.seqs[-1:].tolist()]), min(steps))
        return stretches


def as_array(steps: range | Int64) -> Int64:
    """Return steps as an array: numpy makes one of a range number by number."""
    return np.arange(steps.start, steps.stop, steps.step) if isinstance(steps, range) else steps


def in_time_order(columns: list[Column]) -> Column:
    """Join the columns of several processes that logged at the same time."""
    joined = join_columns(columns)
    return joined if len(columns) == 1 else joined.take(np.argsort(joined.times, kind="stable"))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with a file; None when there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
