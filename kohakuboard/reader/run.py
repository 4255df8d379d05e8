"""One run, read whole: what is committed in Lance and SQLite, merged with the journal's tail.

The tail is read first and the stores after it, so nothing falls between the two; what is in both is told by its seq.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NotARunError
from ..journal.scan import Column, join_columns
from ..storage.annotations import Annotations
from ..storage.overview import CatalogueSnapshot
from ..storage.packed import latest_step
from ..storage.summary import Metric, summarise
from .catalogue import catalogue_paths, stamp
from .console import Console, read_console
from .facts import NOTHING_SAID
from .identity import Identity, describe, true_status
from .reading import Placed
from .scalars import ByStep, Scalars, Series
from .stores import Stores
from .tail import Tail
from .values import RichValues

__all__ = ["ByStep", "Run", "Series", "open_run"]


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


class Run(Scalars, RichValues):
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
