"""What both kinds of store do alike: know what is committed, append each record once, merge what is small."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .fragments import Part
from .lance import LANCE_ERRORS, RETENTION_S, Dataset
from .merge import next_merge

__all__ = ["Ledger", "Store", "highest"]


@dataclass(slots=True)
class Ledger:
    """Hold what a dataset has, so that it is read from it once: `next_ordinal` is by (shard, metric)."""

    committed: dict[int, int] = field(default_factory=dict)
    weights: dict[int, int] = field(default_factory=dict)
    next_ordinal: dict[tuple[int, str], int] = field(default_factory=dict)

    def commit(self, fragment: int, weight: int, seq_hi: Mapping[int, int]) -> None:
        """Note a new fragment."""
        self.weights[fragment] = weight
        for shard, seq in seq_hi.items():
            self.committed[shard] = max(seq, self.committed.get(shard, seq))


class Store(ABC):
    """One writer's dataset of one kind. Only the process that holds the run's lock may open it.

    Arguments:
        path: The directory of the dataset, `<run>/scalars/<writer>.lance` or the like.
        retention_s: How long readers may use a version after the next one.

    """

    schema: ClassVar[pa.Schema]
    keys: ClassVar[tuple[str, ...]]
    weight: ClassVar[str]  # the column that says how much is in a row
    largest_merge: ClassVar[int]

    def __init__(self, path: Path, *, retention_s: float = RETENTION_S) -> None:
        self._dataset = Dataset(path, self.schema, retention_s=retention_s)
        self._known: Ledger | None = None

    @property
    def problems(self) -> list[str]:
        """Return what was found damaged when it was opened, in words."""
        return self._dataset.problems

    def committed(self) -> dict[int, int]:
        """Return the highest committed seq of each shard: what to leave out when the journal is read again.

        A flush that had no rows for this store leaves no trace in it.
        """
        return dict(self._ledger().committed)

    def maintain(self, *, final: bool = False) -> None:
        """Merge small fragments and delete versions past their retention, as far as it is time for either.

        Arguments:
            final: The run has ended: merge all that is left into as few files as it takes, keep no old version, and
                make what is short quick to read.

        """
        while group := next_merge(self._ledger().weights, largest=self.largest_merge, final=final):
            self._merge(group)
        if final:
            self._dataset.clean_all()
            self._dataset.write_sidecar()
        else:
            self._dataset.clean()

    def close(self) -> None:
        """Let go of files and caches."""
        self._dataset.close()
        self._known = None

    @abstractmethod
    def _merged(self, part: Part) -> Iterator[pa.Table]:
        """Give the rows of several fragments as those of one, some at a time."""

    def _next_ordinals(self, _keys: pa.Table) -> dict[tuple[int, str], int]:
        """Return how many points there are of each metric of each shard, where rows are numbered by it."""
        return {}

    def _ledger(self) -> Ledger:
        if self._known is None:
            self._dataset.settle()
            ledger = Ledger()
            if self._dataset.fragment_ids:
                part = self._dataset.part()
                rows = part.read(self.keys)
                ledger.committed = highest(rows)
                ledger.weights = _weights(part.fragment_ids, rows[self.weight])
                ledger.next_ordinal = self._next_ordinals(rows)
            self._known = ledger
        return self._known

    def _append(self, table: pa.Table) -> None:
        """Commit rows. After an error the ledger is read anew, so that another try omits what is there."""
        ledger = self._ledger()
        try:
            fragment = self._dataset.append(table)
        except LANCE_ERRORS:
            self._known = None
            raise
        ledger.commit(fragment, int(table[self.weight].to_numpy().sum()), highest(table))

    def _merge(self, group: list[int]) -> None:
        ledger = self._ledger()
        try:
            fragment = self._dataset.replace(group, self._merged(self._dataset.part(group)))
        except LANCE_ERRORS:
            self._known = None
            raise
        weight = sum(ledger.weights.pop(old) for old in group)
        ledger.commit(fragment, weight, {})
        pa.default_memory_pool().release_unused()


def highest(rows: pa.Table) -> dict[int, int]:
    """Return the highest `seq_hi` of each shard."""
    of_rows, seq_hi = rows["shard"].to_numpy(), rows["seq_hi"].to_numpy()
    if len(of_rows) and (of_rows == of_rows[0]).all():  # as in most runs, and five times as quick
        return {int(of_rows[0]): int(seq_hi.max())}
    shards, inverse = np.unique(of_rows, return_inverse=True)
    seqs = np.full(len(shards), np.iinfo(np.int64).min)
    np.maximum.at(seqs, inverse, seq_hi)
    return dict(zip(shards.tolist(), seqs.tolist(), strict=True))


def _weights(fragments: NDArray[np.int64], weights: pa.ChunkedArray) -> dict[int, int]:
    """Return the weight of each fragment, in the order in which they were committed."""
    ids, inverse = np.unique(fragments, return_inverse=True)
    totals = np.bincount(inverse, weights=weights.to_numpy())
    return dict(zip(ids.tolist(), totals.astype(np.int64).tolist(), strict=True))
