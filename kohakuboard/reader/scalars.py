"""The points of a run's metrics: what is committed in Lance, and behind it the journal's tail.

By default they are those that are shown, in which the last attempt has the last word of each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedSeriesError, MetricNotFoundError
from ..journal.format import machine_rank
from ..journal.scan import Column, join_columns
from ..storage.shards import is_of_machine, shard_number
from .attempts import Attempt, RankStatistics, shown, statistics_by_step
from .following import Asked, Followed, Mark, mark_of, newer_than
from .stores import NO_POINTS, Stretch, in_time_order
from .summaries import Summaries

__all__ = ["ByStep", "Scalars", "Series"]

# A call of a run is named by its seq in its shard, and by the place of that shard among all of the run.
SEQ_BITS: Final = 40


class Series(NamedTuple):
    """Hold the points of a metric in log order, in four arrays of length n.

    `seq` names the call: points of other metrics with the same one were logged together with these.
    """

    step: NDArray[np.int64]
    time: NDArray[np.datetime64]  # µs, UTC
    value: NDArray[np.float64]
    seq: NDArray[np.int64]


class ByStep(NamedTuple):
    """Hold steps and values of the points of a metric in log order; `step` is a range where steps are evenly spaced."""

    step: range | NDArray[np.int64]
    value: NDArray[np.float64]


class Scalars(Summaries):
    """Give a run the calls that read scalars."""

    def series(
        self, name: str, *, rank: int | None = None, attempt: int | None = None, host: str | None = None
    ) -> Series:
        """Return the points of a metric, committed or not. Raises MetricNotFoundError or DamagedSeriesError.

        Args:
            name: The metric.
            rank: Of a job of several processes: whose points. By default rank 0's, or those of the lowest rank that
                logged the metric.
            attempt: All points of the attempt of that number. By default what the last attempt says of each step:
                points that a continued run has logged again, or gone back behind, are left out.
            host: Of the series in `system_metrics`: on which machine. By default the first of `hosts`. They know no
                ranks and no attempts.
        """
        if host is not None:
            rank = machine_rank(host)
        rank = self._default_rank(name) if rank is None else rank
        attempt = attempt if rank >= 0 else None
        parts = self.parts(name, rank) if attempt is None else self._raw_parts(name, rank, attempt)
        pieces = [column for _, column in parts if len(column.seqs)]
        if not pieces:
            if name in self._sums().by_rank.get(rank, {}) and not self._has_points(name, rank):
                raise DamagedSeriesError(self.path, name)
            raise MetricNotFoundError(self.id, name, self.metrics)
        joined = join_columns(pieces)
        return Series(joined.steps, joined.times.view("datetime64[us]"), joined.values, joined.seqs)

    def by_step(self, name: str, *, attempt: int | None = None, host: str | None = None) -> ByStep:
        """Return steps and values of what `series` returns, and raise what it raises.

        Where a single process logged all of them, their times and seqs stay unread, and it takes half as long.
        """
        rank = self._default_rank(name) if host is None else machine_rank(host)
        attempt = attempt if rank >= 0 else None
        turns = self._attempts_of(rank, attempt)
        if len(turns) == 1:
            tail = self._tail_beyond(self._stores.scalars).columns(name)
            found = self._stores.by_step(name, tail, self._shard_names())
            if found is not None and found[0] in turns[0].shards:
                return ByStep(*found[1:])
        series = self.series(name, rank=rank, attempt=attempt, host=host)
        return ByStep(series.step, series.value)

    def follow(
        self,
        name: str,
        mark: Mark | None = None,
        *,
        times: bool = False,
        attempt: int | None = None,
        host: str | None = None,
    ) -> Followed:
        """Return what `by_step` does, or only what came behind a mark; raises what `series` raises.

        That takes as long as there is anything new, however long the series. It is all points again where more happened
        than that some were added at the end, and where the mark is of something else.

        Args:
            name: The metric.
            mark: Where the points end that are known, as the call said that returned the last of them.
            times: Whether their times are wanted, too.
            attempt: As for `series`.
            host: As for `series`.
        """
        rank = self._default_rank(name) if host is None else machine_rank(host)
        attempt = attempt if rank >= 0 else None
        asked = Asked(self.started_us, name, rank, attempt)
        if mark is not None and (found := self._newer_than(mark, asked)) is not None:
            newer, mark = found
            time_us = newer.times.view("datetime64[us]") if times else None
            return Followed(newer.steps, newer.values, time_us, mark, whole=False)
        before = None if self.rests else self._mark(asked)  # of what has ended nothing more is expected
        points: Series | ByStep
        if times:
            points = self.series(name, rank=rank, attempt=attempt, host=host)
        else:
            points = self.by_step(name, attempt=attempt, host=host)
        # The stores may have moved on to what is newer than the mark while they were read.
        mark = before if before is not None and before == self._mark(asked) else None
        time_us = points.time if isinstance(points, Series) else None
        return Followed(points.step, points.value, time_us, mark, whole=True)

    def across_ranks(self, name: str) -> RankStatistics:
        """Return mean, minimum and maximum over all ranks at each step. Raises MetricNotFoundError."""
        found = [self.series(name, rank=rank) for rank in self.ranks(name)]
        if not found:
            raise MetricNotFoundError(self.id, name, self.metrics)
        return statistics_by_step((series.step, series.value) for series in found)

    def parts(self, name: str, rank: int, *, committed_only: bool = False) -> list[tuple[Attempt, Column]]:
        """Return the points of a rank that are shown, by the attempt that logged them."""
        raw = self._raw_parts(name, rank, committed_only=committed_only)
        if len(raw) == 1:
            return raw
        masks = shown([(attempt.at_step, column.steps) for attempt, column in raw])
        return [
            (attempt, column if mask.all() else column.take(np.flatnonzero(mask)))
            for (attempt, column), mask in zip(raw, masks, strict=True)
        ]

    def _mark(self, asked: Asked) -> Mark | None:
        """Return where a series ends as it is now."""
        if (stretches := self._stretches(asked.name, {})) is None:
            return None
        return mark_of(asked, self._attempts_of(asked.rank, asked.attempt), stretches)

    def _newer_than(
        self, mark: Mark, asked: Asked, *, is_in_tail: bool = False
    ) -> tuple[Column, Mark] | None:
        """Return what came behind a mark, None where more happened; `is_in_tail`: nothing was stored since."""
        tail = self._tail.columns(asked.name)
        stretches = mark.going_on(tail) if is_in_tail else self._stretches(asked.name, mark.seqs)
        if stretches is None:
            return None
        return newer_than(mark, asked, self._attempts_of(asked.rank, asked.attempt), stretches)

    def _stretches(self, name: str, after: Mapping[str, int]) -> dict[str, Stretch] | None:
        """Return what each shard has of a metric, None where there is one of which only its points are known."""
        names, reader = self._shard_names(), self._stores.scalars
        tail = self._tail_beyond(reader).columns(name)
        if not tail.keys() <= set(names.values()):
            return None
        if reader is not None and not reader.committed().keys() <= names.keys():
            return None
        return self._stores.stretches(name, tail, names, after)

    def _attempts_of(self, rank: int, number: int | None) -> list[Attempt]:
        return [one for one in self._places().attempts if one.rank == rank and number in (None, one.number)]

    def _default_rank(self, name: str) -> int:
        logged = self.ranks(name)
        if not logged and name in self.system_metrics():
            return machine_rank(self.hosts[0])
        return next(iter(logged), 0)

    def _has_points(self, name: str, rank: int) -> bool:
        """Tell whether there are points of a metric, shown or not."""
        return any(len(column.seqs) for _, column in self._raw_parts(name, rank))

    def _raw_parts(
        self, name: str, rank: int, number: int | None = None, *, committed_only: bool = False
    ) -> list[tuple[Attempt, Column]]:
        """Return all points of a rank, or of one attempt of it, by attempt."""
        columns = self._columns(name)
        if committed_only:
            committed = self._committed()
            columns = {shard: c.up_to(committed.get(shard, -1)) for shard, c in columns.items()}
        for place, shard in enumerate(self._shards_in_order()):
            if place and shard in columns:
                named = columns[shard].seqs + (place << SEQ_BITS)
                columns[shard] = columns[shard]._replace(seqs=named)
        wanted = self._attempts_of(rank, number)
        strays = [one for one in columns if one not in self._places().turns]
        if rank <= 0 and number in (None, 0):
            strays = [one for one in strays if is_of_machine(_number(one)) == (rank < 0)]
            wanted = [_unknown_attempt(strays), *wanted] if strays else wanted
        parts = [(one, [columns[shard] for shard in one.shards if shard in columns]) for one in wanted]
        return [(one, in_time_order(found) if found else NO_POINTS) for one, found in parts]

    def _shards_in_order(self) -> list[str]:
        """Return the shards in the order of their start."""
        return [
            name for name, _ in sorted(self._origins().items(), key=lambda one: (one[1].started_us, one[0]))
        ]

    def _columns(self, name: str) -> dict[str, Column]:
        reader = self._stores.scalars
        if reader is not None and not reader.committed().keys() <= self._shard_names().keys():
            # A process has begun since the last look, and its first points are committed already.
            self._read_tail()
            self._read_catalogue()
            self._tail.forget(self._committed())
            self._placed = None
        return self._stores.columns(name, self._tail_beyond(reader).columns(name), self._shard_names())


def _number(shard: str) -> int:
    """Return the number of a shard; one whose name nobody knows goes by its number."""
    return int(shard) if shard.isdigit() else shard_number(shard)


def _unknown_attempt(shards: Sequence[str]) -> Attempt:
    """Return what stands for the attempt of points of which only Lance knows."""
    unknown = datetime.fromtimestamp(0, tz=timezone.utc)
    return Attempt(0, 0, None, "crashed", None, unknown, None, None, None, None, tuple(shards))
