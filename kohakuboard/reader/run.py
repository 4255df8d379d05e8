"""One run, read whole: what is committed in Lance and SQLite, merged with the journal's tail.

The tail is read first and the stores after it, so nothing falls between the two; what is in both is told by its seq.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedSeriesError, MetricNotFoundError, NotARunError
from ..journal.scan import Column, join_columns
from ..storage.database import connect
from ..storage.summary import Metric, summarise
from .catalogue import CatalogueSnapshot, read_catalogue, stamp
from .identity import Identity, describe, true_status
from .tail import Tail

if TYPE_CHECKING:
    from ..storage.histograms import HistogramReader
    from ..storage.scalars import ScalarReader

__all__ = ["HistogramSeries", "MediaEntry", "Run", "Series", "TableEntry", "open_run"]


class Series(NamedTuple):
    """Hold all points of a metric in log order, in four arrays of length n."""

    step: NDArray[np.int64]
    time: NDArray[np.datetime64]  # µs, UTC
    value: NDArray[np.float64]
    seq: NDArray[np.int64]


class HistogramSeries(NamedTuple):
    """Hold S histograms of B bins: counts (S, B), edges (S, B + 1)."""

    step: NDArray[np.int64]
    time: NDArray[np.datetime64]  # µs, UTC
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


class MediaEntry(NamedTuple):
    """Describe media logged at a step; `read` fetches the bytes."""

    run: Path
    name: str
    step: int
    position: int
    caption: str | None
    hash: str
    extension: str
    mime: str
    width: int | None
    height: int | None

    def read(self) -> bytes:
        """Return the bytes. Raises FileNotFoundError when the run has lost them."""
        from ..storage.media import read_media

        data = read_media(self.run, self.hash, self.extension)
        if data is None:
            raise FileNotFoundError(f"the media {self.hash}.{self.extension} are missing from {self.run}")
        return data


class TableEntry(NamedTuple):
    """Hold a table logged at a step."""

    name: str
    step: int
    columns: list[str]
    rows: list[list[Any]]


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
        return (directory / "run.db").is_file() or (directory / "journal").is_dir()
    except OSError:
        return False  # somebody's private directory


class Run:
    """Give access to one run. A snapshot: `refresh` moves it on. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._tail = Tail(self.path / "journal")
        self._snapshot = CatalogueSnapshot()
        self._stamp: tuple[Any, ...] = ()
        self._unreadable: str | None = None
        self._journal_unreadable: str | None = None
        self._identity = Identity(path.name, path.name, path.parent.name)
        self._status = "running"
        self._scalars: ScalarReader | None = None
        self._histograms: HistogramReader | None = None
        self._scalars_stale = self._histograms_stale = True
        self._version = ""
        self.refresh()

    def __repr__(self) -> str:
        return f"<Run {self.project}/{self.id} ({self.status})>"

    # Identity

    @property
    def id(self) -> str:
        """Return the id, unique in its project."""
        return self._identity.id

    @property
    def name(self) -> str:
        """Return what people call the run."""
        return self._identity.name

    @property
    def project(self) -> str:
        """Return the project's name."""
        return self._identity.project

    @property
    def group(self) -> str | None:
        """Return what the run belongs together with."""
        return self._identity.group

    @property
    def notes(self) -> str | None:
        """Return the notes."""
        return self._identity.notes

    @property
    def tags(self) -> list[str]:
        """Return the tags, in the order they were added."""
        return self._identity.tags

    @property
    def config(self) -> dict[str, Any]:
        """Return the hyperparameters, as plain values."""
        return self._identity.config

    @property
    def environment(self) -> dict[str, Any]:
        """Return machine, command and code, as far as known."""
        return self._identity.environment

    @property
    def status(self) -> str:
        """Return running, finished, failed, interrupted, killed, preempted, crashed or unreadable."""
        return self._status

    @property
    def error(self) -> str | None:
        """Return the traceback of a run that failed, or why the run cannot be read."""
        return self._unreadable or self._journal_unreadable or self._identity.error

    @property
    def problems(self) -> list[str]:
        """Return damage that was found, in words, each once."""
        found = self._tail.damage(over=self.status != "running")
        return list(dict.fromkeys([*self._snapshot.problems, *found]))

    @property
    def started(self) -> datetime:
        """Return when the run began (UTC)."""
        return self._identity.started

    @property
    def ended(self) -> datetime | None:
        """Return when the run ended (UTC); None while it runs."""
        return self._identity.ended

    @property
    def duration_s(self) -> float:
        """Return the time from start to end, or to now, or to the last sign of life, in seconds."""
        end_us = self._identity.ended_us
        if end_us is None and self.status == "running":
            end_us = time.time_ns() // 1000
        if end_us is None:
            known = [metric.last_time_us for metric in self.metrics.values()]
            end_us = max([*known, self._identity.heartbeat_us or 0])
        return max(end_us - (self._identity.started_us or end_us), 0) / 1e6

    # Data

    @property
    def metrics(self) -> dict[str, Metric]:
        """Return the summary of each metric by name, in order of first appearance."""
        return self._metrics

    @property
    def last_step(self) -> int | None:
        """Return the highest step that a metric was logged at."""
        return self._last_step

    @property
    def summary(self) -> dict[str, Any]:
        """Return the last value of each metric, and over them what the user put into board.summary."""
        return {name: metric.last for name, metric in self.metrics.items()} | self._identity.user_summary

    def series(self, name: str) -> Series:
        """Return all points of a metric, committed or not. Raises MetricNotFoundError or DamagedSeriesError."""
        pieces = [column for _, column in sorted(self._columns(name).items()) if len(column.seqs)]
        if not pieces and name in self.metrics:
            raise DamagedSeriesError(self.path, name)
        if not pieces:
            raise MetricNotFoundError(self.id, name, self.metrics)
        joined = join_columns(pieces)
        if len(pieces) > 1:
            joined = joined.take(np.argsort(joined.times, kind="stable"))
        return Series(joined.steps, joined.times.view("datetime64[us]"), joined.values, joined.seqs)

    def histogram_names(self) -> list[str]:
        """Return the names that histograms were logged under."""
        reader = self._histogram_reader()
        return reader.metrics() if reader else []

    def histograms(self, name: str) -> HistogramSeries:
        """Return the committed histograms of a name. Raises MetricNotFoundError."""
        reader = self._histogram_reader()
        found = reader.series(name) if reader else None
        if found is None or not len(found.steps):
            raise MetricNotFoundError(self.id, name, self.histogram_names())
        return HistogramSeries(found.steps, found.times.view("datetime64[us]"), found.counts, found.edges)

    def media(self, name: str | None = None) -> list[MediaEntry]:
        """Return what media are committed, of one name or of all, by step."""
        query = (
            "SELECT name, step, position, caption, hash, extension, mime, width, height FROM media "
            "WHERE ?1 IS NULL OR name = ?1 ORDER BY name, step, seq, position"
        )
        return [MediaEntry(self.path, *row) for row in self._query(query, [name])]

    def table(self, name: str, step: int | None = None) -> TableEntry:
        """Return the table of a name at a step, or its last. Raises MetricNotFoundError."""
        query = (
            "SELECT id, step, columns FROM tables WHERE name = ?1 AND (?2 IS NULL OR step = ?2) "
            "ORDER BY time_us DESC LIMIT 1"
        )
        for table_id, found_step, columns in self._query(query, [name, step]):
            rows = self._query('SELECT cells FROM table_rows WHERE table_id = ? ORDER BY "row"', [table_id])
            return TableEntry(name, found_step, json.loads(columns), [json.loads(cells) for (cells,) in rows])
        known = [found for (found,) in self._query("SELECT DISTINCT name FROM tables", [])]
        raise MetricNotFoundError(self.id, name, known)

    def console(self) -> str:
        """Return what was printed."""
        try:
            return (self.path / "console.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    # Keeping up

    @property
    def version(self) -> str:
        """Return a token that changes whenever there is something new to see; refreshes."""
        self.refresh()
        return self._version

    def refresh(self) -> bool:
        """Move on to what is there now; True when anything changed. Cheap when nothing did."""
        self._read_tail()
        changed = stamp(self.path / "run.db")
        if changed != self._stamp:
            self._stamp = changed if self._read_catalogue() else ()
        # Always: a flush may have come between the two readings, and its records into the tail only now.
        self._tail.forget(self._snapshot.shards)
        self._identity = describe(self._snapshot, self._tail.events(), self.path.parent.name, self.path.name)
        self._status = (
            "unreadable" if self._unreadable or self._journal_unreadable else true_status(self._identity)
        )
        seqs = self._tail.last_seqs
        for name, (_, seq) in self._snapshot.shards.items():
            seqs[name] = max(seqs.get(name, -1), seq)
        version = (
            f"{self._status}-{self._identity.ended_us}-{hash(tuple(sorted(seqs.items()))) & 0xFFFFFFFFFFFF:x}"
        )
        if version == self._version:
            return False
        self._version = version
        self._summarise()
        return True

    def _read_tail(self) -> None:
        try:
            self._tail.read()
            self._journal_unreadable = None
        except OSError as exc:
            self._journal_unreadable = f"the journal cannot be read ({exc})"

    def _read_catalogue(self) -> bool:
        """Read run.db; False when that must be tried again."""
        self._scalars_stale = self._histograms_stale = True
        try:
            self._snapshot = read_catalogue(self.path / "run.db")
        except (sqlite3.DatabaseError, OSError) as exc:
            self._unreadable = f"run.db cannot be read ({exc})"
            return False
        self._unreadable = None
        return True

    def _summarise(self) -> None:
        metrics = dict(self._snapshot.metrics)
        last = [self._snapshot.run.get("last_step")]
        for columns in self._tail.all_columns():
            for name, column in columns.items():
                later = summarise(name, column)
                metrics[name] = metrics[name].merged(later) if name in metrics else later
                last.append(int(column.steps.max()))
        self._metrics = metrics
        self._last_step = max((step for step in last if step is not None), default=None)

    def _columns(self, name: str) -> dict[str, Column]:
        """Return the points of a metric by shard: from Lance, then those of the tail that Lance has not."""
        tail = self._tail.columns(name)
        reader = self._scalar_reader()
        if reader is None:
            return tail
        names = self._shard_names(reader)
        # In this order: reading may move on to a newer version, whose last seqs are the ones that count.
        found = reader.series(name)
        committed = {names[number]: seq for number, seq in reader.committed().items() if number in names}
        columns = {
            names.get(part.shard, str(part.shard)): Column(part.seqs, part.steps, part.times, part.values)
            for part in found
        }
        for shard, column in tail.items():
            newer = column.after(committed.get(shard, -1))
            columns[shard] = join_columns([columns[shard], newer]) if shard in columns else newer
        return columns

    def _shard_names(self, reader: ScalarReader) -> dict[int, str]:
        """Return the shards' names by their number in Lance, which may know shards that the snapshot does not."""
        if not set(reader.committed()) <= {number for number, _ in self._snapshot.shards.values()}:
            self._read_tail()
            self._read_catalogue()
            self._tail.forget(self._snapshot.shards)
        return {number: shard for shard, (number, _) in self._snapshot.shards.items()}

    def _scalar_reader(self) -> ScalarReader | None:
        if self._scalars is None and (self.path / "scalars").is_dir():
            from ..storage.scalars import ScalarReader

            self._scalars = ScalarReader(self.path / "scalars")
        elif self._scalars is not None and self._scalars_stale:
            self._scalars.refresh()
        self._scalars_stale = False
        return self._scalars

    def _histogram_reader(self) -> HistogramReader | None:
        if self._histograms is None and (self.path / "histograms").is_dir():
            from ..storage.histograms import HistogramReader

            self._histograms = HistogramReader(self.path / "histograms")
        elif self._histograms is not None and self._histograms_stale:
            self._histograms.refresh()
        self._histograms_stale = False
        return self._histograms

    def _query(self, query: str, values: list[Any]) -> Iterator[tuple[Any, ...]]:
        path = self.path / "run.db"
        if not self._snapshot.run:
            return iter(())
        with connect(path) as connection:
            return iter(connection.execute(query, values).fetchall())
