"""Tables that were logged.

tables        one row for each: place, names of its columns (JSON), number of rows
table_rows    one row for each of their rows: table_id, row, cells (a JSON array)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from .place import create_placed

__all__ = ["TableRow", "create"]


@dataclass(frozen=True, slots=True)
class TableRow:
    """Hold a table whole."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Store it as logged at a place."""
        columns = json.dumps(self.columns, ensure_ascii=False)
        table_id = (
            database.table("tables").insert({**place, "columns": columns, "n_rows": len(self.rows)}).last_pk
        )
        database.conn.executemany(
            "INSERT INTO table_rows VALUES (?, ?, ?)",
            ((table_id, i, _cells_text(cells)) for i, cells in enumerate(self.rows)),
        )


def create(database: Database) -> None:
    """Make the tables, unless they are there."""
    create_placed(database, "tables", {"columns": str, "n_rows": int})
    rows = database.table("table_rows")
    rows.create({"table_id": int, "row": int, "cells": str}, if_not_exists=True)
    rows.create_index(["table_id", "row"], unique=True, if_not_exists=True)


def _cells_text(cells: Sequence[Any]) -> str:
    # What JSON cannot hold, no board writes.
    return json.dumps(cells, ensure_ascii=False, default=repr, skipkeys=True)
