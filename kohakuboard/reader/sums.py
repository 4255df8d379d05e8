"""Sum up what is shown of a run's metrics: what its databases have added up, and what waits in the journal's tail.

Both are added to one another where no point of the one can supersede a point of the other. Where one may, as when an
attempt has gone back behind points that are counted, a metric is summed up anew from the points that are shown of it.
That is done once: as long as no more happens than that points are added at the end (see following.py), those are all
that is read, and of the tail alone as long as nothing is stored. It is done when somebody asks for summaries, which a
poll for news does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ..journal.scan import Column, join_columns
from ..storage.packed import latest_step
from ..storage.summary import Metric, summarise
from .attempts import Attempt
from .following import Asked, Mark
from .scalars import Scalars
from .stores import in_time_order
from .summaries import Sums

__all__ = ["SummedUp", "Tally"]

_NO_CUT: Final = 2**63 - 1

ByRank = dict[int, dict[str, Metric]]


class Tally(NamedTuple):
    """Hold the summary of the points of a metric that are shown, None where none is, and where they end.

    `committed` are the seqs up to which the shards were stored then.
    """

    metric: Metric | None
    mark: Mark | None
    committed: Mapping[str, int]


class SummedUp(Scalars):
    """Give a run the summaries of its metrics."""

    _summed: Sums | None
    _tallies: dict[tuple[int, str], Tally]

    def _sums(self) -> Sums:
        if self._summed is None:
            self._summed = self._sum_up()
        return self._summed

    def _sum_up(self) -> Sums:
        by_rank: dict[int, Mapping[str, Metric]] = self._snapshot.metrics
        doubtful = dict.fromkeys(sorted(self._snapshot.doubtful_metrics))
        if doubtful or self._tail.all_columns():
            changed: ByRank = {rank: dict(metrics) for rank, metrics in by_rank.items()}
            doubtful |= dict.fromkeys([*self._gone_back_behind(), *self._add_tails(changed)])
            self._sum_up_anew(changed, doubtful)
            by_rank = {**changed}
        ranks = sorted(rank for rank in by_rank if rank >= 0)
        of_run = by_rank[ranks[0]] if ranks else {}
        for rank in ranks[1:]:
            of_run = {**of_run, **{n: metric for n, metric in by_rank[rank].items() if n not in of_run}}
        return Sums(by_rank, of_run, latest_step(of_run))

    def _gone_back_behind(self) -> list[tuple[int, str]]:
        """Return rank and name of what is counted beyond the checkpoint of an attempt that no database knows of."""
        committed, turns = self._snapshot, self._places().turns
        begun = [turns.get(shard) for shard in self._identity.beginnings.keys() - committed.beginnings.keys()]
        return [
            (attempt.rank, name)
            for attempt in begun
            if attempt is not None and attempt.at_step is not None
            for name, one in committed.metrics.get(attempt.rank, {}).items()
            if one.step_hi > attempt.at_step
        ]

    def _add_tails(self, by_rank: ByRank) -> list[tuple[int, str]]:
        """Add up what is not committed yet; return rank and name of what cannot be added up so."""
        doubtful: list[tuple[int, str]] = []
        for place, waiting in sorted(self._waiting().items()):
            attempt, *behind = [
                one
                for one in self._places().attempts[place:]
                if one.rank == self._places().attempts[place].rank
            ]
            cut = min((one.at_step for one in behind if one.at_step is not None), default=_NO_CUT)
            known = by_rank.setdefault(attempt.rank, {})
            for name, columns in waiting.items():
                later, before = summarise(name, in_time_order(columns)), known.get(name)
                if later.step_hi > cut or (before and self._meet(attempt, before, later, is_last=not behind)):
                    doubtful.append((attempt.rank, name))
                known[name] = before.merged(later) if before else later
        return doubtful

    def _waiting(self) -> dict[int, dict[str, list[Column]]]:
        """Return the points of the tail by the place of their attempt among all, and by metric."""
        places = {shard: i for i, one in enumerate(self._places().attempts) for shard in one.shards}
        waiting: dict[int, dict[str, list[Column]]] = {}
        for shard, columns in self._tail.all_columns().items():
            if columns and shard in places:
                known = waiting.setdefault(places[shard], {})
                for name, column in columns.items():
                    known.setdefault(name, []).append(column)
        return waiting

    def _meet(self, attempt: Attempt, before: Metric, later: Metric, *, is_last: bool) -> bool:
        """Tell whether one may supersede the other of what is counted of a metric and what an attempt adds to it."""
        committed = self._snapshot
        if before.name not in committed.metrics.get(attempt.rank, {}):
            return later.step_lo <= before.step_hi
        if not is_last:
            return True  # what is counted may be of an attempt behind it
        head, reach = committed.shards.get(attempt.shards[0]), committed.reaches[attempt.rank][before.name]
        same = head is not None and head.number == reach.attempt
        reached = reach.prior_hi if same else before.step_hi
        return reached is not None and later.step_lo <= reached

    def _sum_up_anew(self, by_rank: ByRank, doubtful: Iterable[tuple[int, str]]) -> None:
        tallies, committed = self._tallies, self._committed()
        self._tallies = {}
        for rank, name in doubtful:
            tally = self._tally(rank, name, tallies.get((rank, name)), committed)
            if tally.mark is not None:
                self._tallies[rank, name] = tally
            if tally.metric is not None:
                by_rank[rank][name] = tally.metric
            elif self._has_points(name, rank):
                by_rank[rank].pop(name, None)
            # Otherwise its points are lost, and who asks for them is told so.

    def _tally(self, rank: int, name: str, known: Tally | None, committed: Mapping[str, int]) -> Tally:
        asked = Asked(self.started_us, name, rank, None)
        if known is not None and known.mark is not None:
            is_in_tail = known.committed == committed
            if (found := self._newer_than(known.mark, asked, is_in_tail=is_in_tail)) is not None:
                newer, end = found
                return Tally(_merged(known.metric, name, newer), end, committed)
        before = self._mark(asked)
        pieces = [column for _, column in self.parts(name, rank) if len(column.seqs)]
        # The stores may have moved on to what is newer than the mark while they were read.
        mark = before if before == self._mark(asked) else None
        return Tally(summarise(name, join_columns(pieces)) if pieces else None, mark, committed)


def _merged(metric: Metric | None, name: str, newer: Column) -> Metric | None:
    if not len(newer.seqs):
        return metric
    later = summarise(name, newer)
    return later if metric is None else metric.merged(later)
