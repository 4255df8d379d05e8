"""Store rich values: their bytes among the media, histograms in Lance, all else as rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ..journal.scan import RichItem
from ..storage.catalogue import Catalogue
from ..storage.histograms import HistogramColumn, HistogramStore
from ..storage.media import MediaStore, media_database
from .rich import Counted, Row, UnreadableItemError, encode, histogram_of
from .source import Source

__all__ = ["ItemStore"]

HISTOGRAM: Final = "histogram"


class ItemStore:
    """Store the rich values of a run. A problem is told once for a name: the next steps' values are like the first.

    But of what was lost, each value is named.
    """

    def __init__(self, run: Path, database: Path, histograms: Path) -> None:
        self._media = MediaStore(run, media_database(database))
        self._path = histograms
        self._histograms = HistogramStore(histograms) if histograms.exists() else None
        self._blamed: set[tuple[str, str]] = set()

    def check(self) -> list[str]:
        """Return what was found damaged when the stores were opened."""
        self._media.check()
        return [*self._media.problems, *(self._histograms.problems if self._histograms is not None else [])]

    def encode(self, ready: Sequence[Source]) -> tuple[dict[int, Row], list[str]]:
        """Store media bytes; return the rows by the identity of their item, and what could not be read."""
        rows: dict[int, Row] = {}
        unreadable: list[str] = []
        for source in ready:
            for item in source.pending.items:
                if item.body["type"] == HISTOGRAM:
                    continue
                try:
                    rows[id(item)] = encode(item.body, source.directory, self._media)
                except UnreadableItemError as exc:
                    unreadable += self._complaint(item, exc)
        self._media.flush()
        for source in ready:
            for item in source.pending.items:
                if note := getattr(rows.get(id(item)), "note", None):
                    unreadable += self._once(item, f"{item.body['type']} {item.body['name']!r}: {note}")
        return rows, unreadable

    def append_histograms(self, ready: Sequence[Source]) -> list[str]:
        """Bring the histograms of shards to the disk; return what could not be read."""
        unreadable: list[str] = []
        gathered: dict[tuple[str, int], list[tuple[RichItem, Counted]]] = {}
        for source, item in _histograms(ready):
            try:
                counted = histogram_of(item.body, source.directory)
            except UnreadableItemError as exc:
                unreadable += self._complaint(item, exc)
                continue
            gathered.setdefault((item.body["name"], source.number), []).append((item, counted))
        if not gathered:
            return unreadable
        if self._histograms is None:
            self._histograms = HistogramStore(self._path)
        columns = [_histogram_column(name, number, found) for (name, number), found in gathered.items()]
        self._histograms.append(columns, {source.number: source.pending.last_seq for source in ready})
        return unreadable

    def write(
        self, catalogue: Catalogue, source: Source, rows: Mapping[int, Row], unreadable: list[str]
    ) -> None:
        """Write the rows of a shard's values, in the transaction of a flush; add what could not be read."""
        for item in source.pending.items:
            if (row := rows.get(id(item))) is None:
                continue
            try:
                with catalogue.transaction():  # of its own: nothing stays of a table that ends in the middle
                    row.write(catalogue.database, source.place(item))
            except UnreadableItemError as exc:
                unreadable += self._complaint(item, exc)

    def maintain(self, *, final: bool) -> None:
        """Merge small fragments and clean old versions, when it is time."""
        if self._histograms is not None:
            self._histograms.maintain(final=final)

    def close(self) -> None:
        """Close the stores."""
        if self._histograms is not None:
            self._histograms.close()
        self._media.close()

    def _complaint(self, item: RichItem, error: UnreadableItemError) -> list[str]:
        text = f"{item.body['type']} {item.body['name']!r} of step {item.step} could not be stored: {error}"
        return [text] if error.is_lost else self._once(item, text)

    def _once(self, item: RichItem, text: str) -> list[str]:
        """Return a problem of a value, unless there was one of its name."""
        name = item.body["type"], item.body["name"]
        if name in self._blamed:
            return []
        self._blamed.add(name)
        return [text]


def _histograms(ready: Sequence[Source]) -> Iterator[tuple[Source, RichItem]]:
    for source in ready:
        for item in source.pending.items:
            if item.body["type"] == HISTOGRAM:
                yield source, item


def _histogram_column(name: str, number: int, found: list[tuple[RichItem, Counted]]) -> HistogramColumn:
    items, bins = [item for item, _ in found], [counted.bins for _, counted in found]
    return HistogramColumn(
        metric=name,
        shard=number,
        seqs=np.array([item.seq for item in items], dtype=np.int64),
        steps=np.array([item.step for item in items], dtype=np.int64),
        times=np.array([item.time_us for item in items], dtype=np.int64),
        counts=[one.counts for one in bins],
        edges=[one.edges for one in bins],
        nonfinite=np.array([[one.n_nan, one.n_posinf, one.n_neginf] for one in bins], dtype=np.int64).T,
        compact=np.array([counted.compact for _, counted in found], dtype=np.bool_),
    )
