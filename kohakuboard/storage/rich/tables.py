"""Tables that were logged.

tables            one row for each: place, its columns (JSON: [[name, kind], …]), number of rows
table_rows_<n>    the rows of all tables of n columns: table_id, row, c0 … c<n-1>

So cells are values of SQLite's own, which it compares, sorts and adds up, and there are no more tables of rows than
numbers of columns, however many tables were logged. By the kind of its column a cell is

    number            INTEGER or REAL; NULL is NaN; TEXT the digits of an integer beyond 64 bits
    number or none    the same, but NULL is None, and NaN the blob NAN
    text              TEXT
    bool              INTEGER, 0 or 1
    date, datetime    TEXT, ISO 8601
    duration          INTEGER, µs
    bytes             BLOB
    json              TEXT, JSON
    media             TEXT, JSON: type, hash, mime … as in the table media, or {"problem": why there is none}
    mixed             INTEGER, REAL or TEXT; NaN is the blob NAN, all else a blob of JSON, {kind: cell}; bytes in hex

and NULL is None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from .place import create_placed

__all__ = ["KINDS", "NAN", "TableRow", "create", "rows_table"]

KINDS: Final = (
    "number",
    "number or none",
    "text",
    "bool",
    "date",
    "datetime",
    "duration",
    "bytes",
    "json",
    "media",
    "mixed",
)
NAN: Final = b"NaN"

Batch = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class TableRow:
    """Hold a table whose rows are read when it is written: `batches` yields columns of cells as SQLite takes them."""

    columns: Sequence[str]
    kinds: Sequence[str]
    n_rows: int
    batches: Callable[[], Iterable[Batch]]

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Store it as logged at a place."""
        columns = json.dumps(list(zip(self.columns, self.kinds, strict=True)), ensure_ascii=False)
        values = {**place, "columns": columns, "n_rows": self.n_rows}
        table_id = database.table("tables").insert(values).last_pk
        if not self.columns or not self.n_rows:
            return
        rows = rows_table(len(self.columns))
        _create_rows(database, rows, len(self.columns))
        query = f"INSERT INTO {rows} VALUES (?, ?{', ?' * len(self.columns)})"
        first = 0
        for batch in self.batches():
            count = len(batch[0])
            numbered = zip([table_id] * count, range(first, first + count), *batch, strict=True)
            database.conn.executemany(query, numbered)
            first += count


def rows_table(n_columns: int) -> str:
    """Return the name of the table that holds the rows of tables of so many columns."""
    return f"table_rows_{n_columns}"


def create(database: Database) -> None:
    """Make the list of tables, unless it is there."""
    create_placed(database, "tables", {"columns": str, "n_rows": int})


def _create_rows(database: Database, name: str, n_columns: int) -> None:
    # No types: a number must not become text, nor text a number, because of its neighbours.
    cells = ", ".join(f"c{i}" for i in range(n_columns))
    database.execute(
        f'CREATE TABLE IF NOT EXISTS {name} (table_id INTEGER, "row" INTEGER, {cells}, PRIMARY KEY (table_id, "row")) '
        "WITHOUT ROWID"
    )
