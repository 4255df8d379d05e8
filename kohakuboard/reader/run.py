"""One run, read whole: what is committed in Lance and SQLite, merged with the journal's tail.

The tail is read first and the stores after it, so nothing falls between the two; what is in both is told by its seq.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedSeriesError, MetricNotFoundError, NotARunError
from ..journal.format import machine_rank
from ..journal.scan import Column, join_columns
from ..storage.annotations import Annotations
from ..storage.overview import CatalogueSnapshot
from ..storage.packed import latest_step
from ..storage.shards import is_of_machine, shard_number
from ..storage.summary import Metric, summarise
from .attempts import Attempt, RankStatistics, shown, statistics_by_step
from .catalogue import catalogue_names, catalogue_paths, stamp
from .console import Console, read_console
from .facts import NOTHING_SAID
from .following import Asked, Followed, Mark, mark_of, newer_than
from .identity import Identity, describe, true_status
from .reading import Placed
from .stores import NO_POINTS, Stores, Stretch, in_time_order
from .summaries import Summaries
from .tail import Tail
from .values import RichValues

__all__ = ["ByStep", "Run", "Series", "open_run"]

# A call of a run is named by its seq in its shard, and by the place of that shard among all of the run.
SEQ_BITS: Final = 40

# Of what SQLite keeps beside a database that somebody has open, or had when he was killed.
OPEN_ENDINGS: Final = ("-wal", "-shm", "-journal")


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


def open_run(path: str | Path) -> Run:
    """Open the run in a directory for reading. Raises NotARunError when there is none."""
    directory = Path(path)
    if not directory.is_dir():
        raise NotARunError(directory, "there is no such directory")
    if not is_run(directory):
        raise NotARunError(directory, "it holds neither run.db nor a journal")
    return Run(directory)


def is_run(directory: Path) -> bool:
    """Tell whether a directory looks like a run."""
    try:
        return (
            (directory / "run.db").is_file() or (directory / "journal").is_dir() or _has_catalogue(directory)
        )
    except OSError:
        return False  # somebody's private directory


def _has_catalogue(directory: Path) -> bool:
    return bool(catalogue_paths(directory))


class Run(Summaries, RichValues):
    """Give access to one run. A snapshot: `refresh` moves it on. Not for use by two threads at once."""

    def __init__(self, path: str | Path) -> None:
        # As text: of 10 000 runs in a list few are asked for more, and a Path takes as long to make as a file to read.
        self._directory = path if isinstance(path, str) else str(path.absolute())
        folder, _, self._own_id = self._directory.rpartition(os.sep)
        self._folder = folder.rpartition(os.sep)[2]
        self._names: Sequence[str] = ()
        self._tail = Tail(f"{self._directory}/journal")
        self._whole_tail: tuple[str, Tail] | None = None
        self._snapshot = CatalogueSnapshot()
        self._stamp: tuple[Any, ...] = ()
        self._details: tuple[tuple[Any, ...], dict[str, dict[str, Any]]] | None = None
        self._unreadable: str | None = None
        self._journal_unreadable: str | None = None
        self._identity = Identity(self._own_id, self._own_id, self._folder)
        self._given_name = self._own_id
        self._status = "running"
        self._annotated: tuple[tuple[int, ...], Annotations] = (), NOTHING_SAID
        self._annotations_unreadable: str | None = None
        self._stores = Stores(self._directory)
        self._placed: Placed | None = None
        self._by_rank: Mapping[int, Mapping[str, Metric]] = {}
        self._summaries: Mapping[str, Metric] = {}
        self._metrics: dict[str, Metric] | None = None  # the same, when somebody has asked for them
        self._version = ""
        self.refresh()

    def __repr__(self) -> str:
        return f"<Run {self.project}/{self.id} ({self.status})>"

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
        if not pieces and name in self._by_rank.get(rank, {}):
            raise DamagedSeriesError(self.path, name)
        if not pieces:
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
        before = self._mark(asked)
        points: Series | ByStep
        if times:
            points = self.series(name, rank=rank, attempt=attempt, host=host)
        else:
            points = self.by_step(name, attempt=attempt, host=host)
        # The stores may have moved on to what is newer than the mark while they were read.
        mark = before if before == self._mark(asked) else None
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

    def console(self, rank: int = 0, *, last: int | None = None) -> Console:
        """Return the lines that a rank printed, or the last few of them, which is quick however many there are."""
        return read_console(self.path, rank, last)

    # Keeping up

    @property
    def version(self) -> str:
        """Return a token that changes whenever there is something new to see; refreshes."""
        self.refresh()
        return self._version

    @property
    def rests(self) -> bool:
        """Tell whether the run had ended, as of the last refresh, and nothing was open in its directory."""
        if self.ended_us is None or self._status in ("running", "unreadable"):
            return False
        if "journal" in self._names or [name for name in self._names if name.endswith(OPEN_ENDINGS)]:
            return False
        return catalogue_names(self._names) == ["run.db"]

    @property
    def seen_version(self) -> str:
        """Return that token as of the last refresh."""
        return self._version

    @property
    def stored_version(self) -> str:
        """Return a token that also changes when what was logged is stored, and media, tables and texts can be read."""
        stored = hash(tuple(sorted(self._committed().items()))) & 0xFFFFFFFFFFFF
        return f"{self._version}-{stored:x}"

    def refresh(self) -> bool:
        """Move on to what is there now; True when anything changed. Cheap when nothing did."""
        self._read_tail()
        changed = stamp(self._directory, self._names)
        reread = changed != self._stamp
        if reread:
            self._stamp = changed if self._read_catalogue() else ()
        # Always: a flush may have come between the two readings, and its records into the tail only now.
        self._tail.forget(self._committed())
        self._identity = describe(self._snapshot, self._tail.events(), self._folder, self._own_id)
        self._status = (
            "unreadable" if self._unreadable or self._journal_unreadable else true_status(self._identity)
        )
        self._annotate()
        seqs = self._tail.last_seqs
        for name, seq in self._committed().items():
            seqs[name] = max(seqs.get(name, -1), seq)
        version = (
            f"{self._status}-{self._identity.ended_us}-{hash(tuple(sorted(seqs.items()))) & 0xFFFFFFFFFFFF:x}"
        )
        if self._annotated[0]:
            version += f"-{hash(self._annotated[0]) & 0xFFFFFFFF:x}"
        if version == self._version:
            if reread:  # summaries may have been made anew, of the same points
                self._summarise()
            return False
        self._version = version
        self._placed = None
        self._summarise()
        return True

    def _summarise(self) -> None:
        by_rank: dict[int, Mapping[str, Metric]] = self._snapshot.metrics
        # What one database knows of an attempt may supersede what another one has added up.
        superseded = set(self._snapshot.shared_metrics)
        if tails := self._tail.all_columns():
            superseded |= self._superseded_by_tail()
        if tails or superseded:
            changed = {rank: dict(metrics) for rank, metrics in by_rank.items()}
            self._add_tails(changed, tails)
            self._sum_up_anew(changed, superseded)
            by_rank = {**changed}
        self._by_rank = by_rank
        ranks = sorted(rank for rank in by_rank if rank >= 0)
        self._summaries = by_rank[ranks[0]] if ranks else {}
        for rank in ranks[1:]:
            more = {n: metric for n, metric in by_rank[rank].items() if n not in self._summaries}
            self._summaries = {**self._summaries, **more}
        self._metrics = None
        self._last_step = latest_step(self._summaries)

    def _sum_up_anew(
        self, by_rank: Mapping[int, dict[str, Metric]], superseded: Iterable[tuple[int, str]]
    ) -> None:
        for rank, name in superseded:
            pieces = [column for _, column in self.parts(name, rank) if len(column.seqs)]
            if pieces:
                by_rank[rank][name] = summarise(name, join_columns(pieces))
            else:
                by_rank[rank].pop(name, None)

    def _add_tails(
        self, by_rank: dict[int, dict[str, Metric]], tails: Mapping[str, Mapping[str, Column]]
    ) -> None:
        """Add up what is not committed yet."""
        turns = self._places().turns
        for shard, columns in tails.items():
            known = by_rank.setdefault(turns[shard].rank, {}) if shard in turns else {}
            for name, column in columns.items():
                later = summarise(name, column)
                known[name] = known[name].merged(later) if name in known else later

    def _superseded_by_tail(self) -> set[tuple[int, str]]:
        """Return rank and name of the metrics whose committed summary counts points that the tail supersedes."""
        found: set[tuple[int, str]] = set()
        committed, turns = self._snapshot, self._places().turns
        for shard in self._identity.beginnings.keys() - committed.beginnings.keys():
            attempt = turns.get(shard)
            if attempt is not None and attempt.at_step is not None:
                metrics = committed.metrics.get(attempt.rank, {})
                found |= {(attempt.rank, n) for n, one in metrics.items() if one.step_hi > attempt.at_step}
        for shard, columns in self._tail.all_columns().items():
            if (attempt := turns.get(shard)) is None:
                continue
            head = committed.shards.get(attempt.shards[0])
            for name in columns.keys() & committed.metrics.get(attempt.rank, {}).keys():
                reach = committed.reaches[attempt.rank][name]
                same = head is not None and head.number == reach.attempt
                reached = reach.prior_hi if same else committed.metrics[attempt.rank][name].step_hi
                if reached is not None and int(columns[name].steps.min()) <= reached:
                    found.add((attempt.rank, name))
        return found

    def _mark(self, asked: Asked) -> Mark | None:
        """Return where a series ends as it is now."""
        if (stretches := self._stretches(asked.name, {})) is None:
            return None
        return mark_of(asked, self._attempts_of(asked.rank, asked.attempt), stretches)

    def _newer_than(self, mark: Mark, asked: Asked) -> tuple[Column, Mark] | None:
        if (stretches := self._stretches(asked.name, mark.seqs)) is None:
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
