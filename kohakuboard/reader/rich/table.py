"""Tables that were logged."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..rows import Rows

__all__ = ["TableEntry", "table_entry"]


class TableEntry(NamedTuple):
    """Hold a table logged at a step."""

    name: str
    step: int
    columns: list[str]
    rows: list[list[Any]]


def table_entry(rows: Rows, name: str, step: int | None) -> TableEntry | None:
    """Return the table of a name at a step, or its last; None when there is none."""
    query = "SELECT shard, name, step, columns, id, time_us FROM tables WHERE name = ? ORDER BY time_us"
    for database in rows.databases()[::-1]:
        found = [row for row in rows.shown(query, [name], [database]) if step in (None, row[2])]
        if found:
            _, _, found_step, columns, table_id, _ = found[-1]
            cells = 'SELECT cells FROM table_rows WHERE table_id = ? ORDER BY "row"'
            texts = rows.query(cells, [table_id], [database])
            return TableEntry(name, found_step, json.loads(columns), [json.loads(text) for (text,) in texts])
    return None
