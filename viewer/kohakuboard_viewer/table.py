"""All runs of a list as a table: what fields they have, and each field as a column, made when it is asked for.

A table never changes. The next one takes over the columns of the one before and reads the runs that changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import Final

import numpy as np

from kohakuboard.reader import leaves

from . import fields
from .column import Column
from .rows import Row

__all__ = ["Table", "version_of"]

# A new table keeps the columns of the last one as long as fewer than one in four rows are new.
_FRESH: Final = 4
# Names of the environment are those of the newest runs; it differs little, and has no short list of names.
_LOOKED_AT: Final = 100

_mark: Final = attrgetter("mark")


class Table:
    """Hold the rows of a list, the newest run first, and their columns.

    Args:
        rows: The runs.
        before: The last table, to take over from.
    """

    def __init__(self, rows: Sequence[Row], before: Table | None = None) -> None:
        self.rows = rows
        self._columns: dict[str, Column] = {}
        if before is not None and before._columns:
            self._take_over(before)

    def __len__(self) -> int:
        return len(self.rows)

    def _take_over(self, before: Table) -> None:
        places = {id(row): place for place, row in enumerate(before.rows)}
        source = np.array([places.get(id(row), -1) for row in self.rows], dtype=np.int64)
        fresh = np.flatnonzero(source < 0)
        if len(fresh) * _FRESH > len(self.rows):
            return
        new = [self.rows[place] for place in fresh.tolist()]
        for key, column in before._columns.copy().items():  # another thread may ask for one more
            read = fields.getter(key)
            self._columns[key] = column.moved(source, fresh, [read(row) for row in new])

    def column(self, key: str) -> Column:
        """Return a field of all rows."""
        if key not in self._columns:
            self.read([key])
        return self._columns[key]

    def read(self, keys: Iterable[str]) -> None:
        """Make the columns of several fields run by run: field by field it takes twice as long, in another order than
        that in which the runs lie in memory.
        """
        missing = [key for key in dict.fromkeys(keys) if key not in self._columns]
        if not missing:
            return
        fresh, read = fields.many_getter(missing)
        values = zip(*map(read, self.rows), strict=True)
        for key, column in zip(fresh, values if self.rows else [()] * len(fresh), strict=True):
            self._columns[key] = Column.of(column)

    @cached_property
    def names(self) -> Mapping[str, Mapping[str, int]]:
        """Return for each kind of field the names that there are, with the number of runs that have them."""
        config = _counted(row.config for row in self.rows)
        metrics = _counted(row.metrics for row in self.rows)
        system = _counted(row.system for row in self.rows)
        summary = _counted(row.summary for row in self.rows)
        environment: Counter[str] = Counter()
        for row in islice(self.rows, _LOOKED_AT):
            environment.update(name for name, _ in leaves(row.environment))
        return {"config": config, "metric": {**system, **metrics}, "summary": summary, "env": environment}

    @cached_property
    def texts(self) -> list[str]:
        """Return for each row what words are looked for in."""
        return [row.words for row in self.rows]

    @cached_property
    def running(self) -> int:
        """Return how many runs there is more to come of."""
        return sum(row.live for row in self.rows)

    @cached_property
    def archived(self) -> int:
        """Return how many runs lists leave out."""
        return sum(row.archived for row in self.rows)


def version_of(rows: Sequence[Row]) -> str:
    """Return a word that is another when one of the rows is."""
    return f"{len(rows)}-{sum(map(_mark, rows)) & 0xFFFFFFFFFFFFFFFF:x}"


def _counted(found: Iterable[Mapping[str, object]]) -> Mapping[str, int]:
    """Count keys. Most runs of a list have the same ones, in the same order: these are counted together."""
    alike = Counter(tuple(each) for each in found)
    counts: dict[str, int] = {}
    for keys, number in alike.items():
        for key in keys:
            counts[key] = counts.get(key, 0) + number
    return counts
