"""Tables that were logged: what they are, and their rows, whole or a page at a time.

Rows stay in run.db until they are asked for. What is committed of a table never changes, so an entry stays good for as
long as its run lies where it lay.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...errors import ColumnNotFoundError
from ...storage.database import connect
from ...storage.rich.tables import rows_table
from ..rows import Rows
from .cells import decoder

__all__ = ["TableEntry", "TablePage", "table_entries"]

# What of a cell is searched, of each kind that is.
_SEARCHED: Final = "text", "number", "date", "datetime", "json", "mixed"


class TablePage(NamedTuple):
    """Hold some rows of a table: `n_rows` fit in all, of which these begin at `offset`; `numbers` are their places."""

    rows: list[list[Any]]
    numbers: list[int]
    offset: int
    n_rows: int


@dataclass(frozen=True)
class TableEntry:
    """Describe a table logged at a step; its rows are read when they are asked for."""

    run: Path
    name: str
    step: int
    time: np.datetime64
    position: int
    columns: list[str]
    kinds: list[str]
    n_rows: int
    _database: Path
    _id: int

    def __len__(self) -> int:
        return self.n_rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    @cached_property
    def rows(self) -> list[list[Any]]:
        """Return all rows, as lists of cells in the order of the columns."""
        return self.page(limit=None).rows

    def page(
        self,
        offset: int = 0,
        limit: int | None = 100,
        *,
        sort_by: str | None = None,
        descending: bool = False,
        search: str | None = None,
    ) -> TablePage:
        """Return some rows, without reading the others. Raises ColumnNotFoundError.

        Args:
            offset: How many rows to leave out at the beginning.
            limit: How many rows at most; None for all.
            sort_by: The column to sort by; as they were logged when there is none. Numbers come before text, and what
                is missing comes last.
            descending: Whether to sort from the highest.
            search: Only rows in which some cell holds this text; upper and lower case of ASCII are the same.
        """
        order = self._order(sort_by, descending)
        if not self.columns or not self.n_rows:
            return TablePage([], [], offset, 0)
        rows, cells = rows_table(len(self.columns)), ", ".join(f"c{i}" for i in range(len(self.columns)))
        where, values = self._matching(search)
        at = [-1 if limit is None else max(limit, 0), max(offset, 0)]
        with connect(self._database) as connection:
            count = self.n_rows
            if search:
                query = f"SELECT count(*) FROM {rows} WHERE {where}"
                (count,) = connection.execute(query, values).fetchone()
            if not search and not sort_by:  # by key, and not by counting
                where, values = f'{where} AND "row" >= ?', [*values, at[1]]
                at[1] = 0
            # Numbers alone are sorted: with all cells of a million rows it would take ten times as long.
            chosen = f'SELECT "row" FROM {rows} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?'
            query = f'SELECT "row", {cells} FROM {rows} WHERE table_id = ? AND "row" IN ({chosen}) ORDER BY {order}'
            found = connection.execute(query, [self._id, *values, *at]).fetchall()
        decoders = [decoder(kind, self) for kind in self.kinds]
        decoded = [
            [cell if decode is None else decode(cell) for decode, cell in zip(decoders, row[1:], strict=True)]
            for row in found
        ]
        return TablePage(decoded, [row[0] for row in found], offset, count)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SQL query of the table, which is called `data` and has its columns by their names.

        `row` is the number of each row. Cells are as SQLite holds them, see docs/architecture.md. Raises sqlite3.Error.
        """
        if not self.columns:
            return []
        names = ", ".join(f"c{i} AS {_quoted(name)}" for i, name in enumerate(self.columns))
        number = "" if "row" in map(str.lower, self.columns) else '"row", '
        with connect(self._database) as connection:
            self._view(connection, f"SELECT {number}{names}")
            return connection.execute(sql, values).fetchall()

    def to_pandas(self) -> Any:
        """Return a DataFrame. Raises ModuleNotFoundError where pandas is not installed."""
        pandas = import_module("pandas")
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        return pandas.DataFrame(
            {name: list(cells) for name, cells in zip(self.columns, columns, strict=True)}
        )

    def _view(self, connection: sqlite3.Connection, select: str) -> None:
        rows = rows_table(len(self.columns))
        if not self.n_rows:
            cells = ", ".join(f"NULL AS c{i}" for i in range(len(self.columns)))
            source = f'(SELECT NULL AS "row", {cells} WHERE 0)'
        else:
            source = f"(SELECT * FROM main.{rows} WHERE table_id = {int(self._id)})"
        connection.execute(f"CREATE TEMP VIEW data AS {select} FROM {source}")

    def _order(self, sort_by: str | None, descending: bool) -> str:
        if sort_by is None:
            return '"row" DESC' if descending else '"row"'
        if sort_by not in self.columns:
            raise ColumnNotFoundError(self.name, sort_by, self.columns)
        cell = f"c{self.columns.index(sort_by)}"
        return f'{cell} {"DESC" if descending else "ASC"} NULLS LAST, "row"'

    def _matching(self, search: str | None) -> tuple[str, list[Any]]:
        if not search:
            return "table_id = ?", [self._id]
        pattern = "%" + search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        searched = [i for i, kind in enumerate(self.kinds) if kind.startswith(_SEARCHED)]
        fits = " OR ".join(rf"c{i} LIKE ? ESCAPE '\'" for i in searched) or "0"
        return f"table_id = ? AND ({fits})", [self._id, *[pattern] * len(searched)]


def table_entries(run: Path, rows: Rows, name: str | None, step: int | None = None) -> list[TableEntry]:
    """Return the tables of one name, or of all, that are shown; by name, and in the order they were logged."""
    query = (
        "SELECT shard, name, step, time_us, position, columns, n_rows, id FROM tables "
        "WHERE ?1 IS NULL OR name = ?1 ORDER BY name, time_us, seq, position"
    )
    found = [
        (row, database)
        for database in rows.databases()
        for row in rows.shown(query, [name], [database])
        if step in (None, row[2])
    ]
    found.sort(key=lambda one: (one[0][1], one[0][3]))
    return [_entry(run, row, database) for row, database in found]


def _entry(run: Path, row: tuple[Any, ...], database: Path) -> TableEntry:
    _, name, step, time_us, position, columns, n_rows, table_id = row
    named = json.loads(columns)
    return TableEntry(
        run=run,
        name=name,
        step=step,
        time=np.datetime64(time_us, "us"),
        position=position,
        columns=[column for column, _ in named],
        kinds=[kind for _, kind in named],
        n_rows=n_rows,
        _database=database,
        _id=table_id,
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'
