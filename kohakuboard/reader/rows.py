"""The rows of a run's databases: all of them, or those that the default view shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..storage.database import connect

__all__ = ["Rows"]


class Rows:
    """Query the databases of a run, one for each host that logged to it.

    Args:
        databases: Returns where they are, none while there are none.
        shown: Returns which of the rows logged under one name are shown, given the shard and the step of each.
        are_all_shown: Tells whether there are no others.
    """

    def __init__(
        self,
        databases: Callable[[], list[Path]],
        shown: Callable[[Sequence[int], Sequence[int]], list[int]],
        are_all_shown: Callable[[], bool],
    ) -> None:
        self.databases = databases
        self._shown = shown
        self.are_all_shown = are_all_shown

    def query(
        self, query: str, values: Sequence[Any] = (), databases: list[Path] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        found: list[tuple[Any, ...]] = []
        for path in self.databases() if databases is None else databases:
            with connect(path) as connection:
                found += connection.execute(query, values).fetchall()
        return found

    def shown(
        self, query: str, values: Sequence[Any] = (), databases: list[Path] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows that are shown of a query whose columns begin with shard, name and step."""
        by_name: dict[str, list[tuple[Any, ...]]] = {}
        for row in self.query(query, values, databases):
            by_name.setdefault(row[1], []).append(row)
        return [
            rows[i]
            for rows in by_name.values()
            for i in self._shown([row[0] for row in rows], [row[2] for row in rows])
        ]

    def names(self, table: str) -> list[str]:
        """Return the names that rows of a table were logged under."""
        return sorted({name for (name,) in self.query(f"SELECT DISTINCT name FROM {table}")})
