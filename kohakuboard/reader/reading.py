"""What a run was found to hold at the last look: the journal's tail, the rows of its databases, its stores; and whose
each shard of it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..storage.overview import CatalogueSnapshot, ShardOrigin
from ..storage.shards import shard_number
from .attempts import Attempt, attempts_of, shown
from .catalogue import catalogue_names, catalogue_paths, names_in, read_catalogues
from .identity import Identity, true_beginnings
from .rows import Rows
from .stores import Stores
from .tail import Tail

if TYPE_CHECKING:
    from ..storage.scalars import ScalarReader

__all__ = ["Placed", "Reading"]


class Placed(NamedTuple):
    """Hold the attempts of a run, and the attempt of each shard."""

    attempts: list[Attempt]
    turns: dict[str, Attempt]


class Reading:
    """Give a run what it reads."""

    _directory: str
    _identity: Identity
    _journal_unreadable: str | None
    _names: Sequence[str]
    _placed: Placed | None
    _snapshot: CatalogueSnapshot
    _stores: Stores
    _tail: Tail
    _unreadable: str | None
    _version: str
    _whole_tail: tuple[str, Tail] | None

    @cached_property
    def path(self) -> Path:
        """Return the run's directory."""
        return Path(self._directory)

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._databases, self._shown, lambda: len(self._places().attempts) < 2)

    def _read_tail(self) -> None:
        self._names = names_in(self._directory)
        try:
            if "journal" in self._names or self._tail.last_seqs:
                self._tail.read()
            self._journal_unreadable = "run.db is missing, and no journal" if self._is_headless() else None
        except OSError as exc:
            self._journal_unreadable = f"the journal cannot be read ({exc})"

    def _is_headless(self) -> bool:
        """Tell whether only the points are left of a run, as of a copy that is not whole."""
        names = self._names
        if "run.db" in names or "journal" in names:  # as in all but a few of a long list
            return False
        return "scalars" in names and not catalogue_names(names)

    def _read_catalogue(self) -> bool:
        """Read run.db; False when that must be tried again."""
        self._stores.expire()
        try:
            self._snapshot = read_catalogues(self._directory, self._names)
        except (sqlite3.DatabaseError, OSError) as exc:
            self._unreadable = f"run.db cannot be read ({exc})"
            return False
        self._unreadable = None
        return True

    def _places(self) -> Placed:
        """Return which shard is whose; found out when it is asked for, which a list of runs does not."""
        if self._placed is None:
            attempts = attempts_of(self._origins(), true_beginnings(self._identity))
            turns = {shard: attempt for attempt in attempts for shard in attempt.shards}
            self._placed = Placed(attempts, turns)
        return self._placed

    def _origins(self) -> dict[str, ShardOrigin]:
        return self._tail.origins | self._snapshot.origins

    def _committed(self) -> dict[str, int]:
        return {name: row.committed for name, row in self._snapshot.shards.items()}

    def _tail_beyond(self, reader: ScalarReader | None) -> Tail:
        """Return the tail with all that Lance has not: of a copied run, run.db may be the newer of the two."""
        names = self._shard_names()
        stored = {names.get(number, ""): seq for number, seq in reader.committed().items()} if reader else {}
        if all(stored.get(name, -1) >= seq for name, seq in self._committed().items()):
            return self._tail
        if self._whole_tail is None or self._whole_tail[0] != self._version:
            self._whole_tail = self._version, Tail(self.path / "journal")
            self._whole_tail[1].read()
        return self._whole_tail[1]

    def _shard_names(self) -> dict[int, str]:
        """Return the shards' names by their number in the stores."""
        return {shard_number(name): name for name in self._origins()}

    def _shown(self, numbers: Sequence[int], steps: Sequence[int]) -> list[int]:
        """Return which of the rows that were logged under one name are shown: their places, in order.

        Args:
            numbers: The shard of each row.
            steps: The step of each row.
        """
        names = self._shard_names()
        turns = [self._places().turns.get(names.get(number, "")) for number in numbers]
        first = min((turn.rank for turn in turns if turn is not None), default=0)
        order: list[Attempt | None] = [None, *(one for one in self._places().attempts if one.rank == first)]
        places = [[i for i, turn in enumerate(turns) if turn is one] for one in order]
        parts = [
            (one.at_step if one is not None else None, np.array([steps[i] for i in which], dtype=np.int64))
            for one, which in zip(order, places, strict=True)
        ]
        return sorted(
            which[i]
            for which, mask in zip(places, shown(parts), strict=True)
            for i in np.flatnonzero(mask).tolist()
        )

    def _databases(self) -> list[Path]:
        return catalogue_paths(self.path) if self._snapshot.run else []
