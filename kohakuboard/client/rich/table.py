"""Rows and columns: Table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import RichValueError
from ...journal.stage import Stage
from ..plain import plain, storable_text
from .base import Rich

__all__ = ["Table"]


class Table(Rich):
    """Show rows and columns.

    `data` is a list of dicts (columns in order of first appearance, what is missing is None), or a list of rows with
    `columns` naming them. Cells hold text, numbers, None, and nested lists and dicts of these; an integer beyond
    64 bits becomes text.
    """

    def __init__(self, data: Sequence[Any], columns: Iterable[str] | None = None) -> None:
        with self.refused_later(data):
            self._columns, self._rows = _from_dicts(data) if columns is None else _from_rows(data, columns)

    def _item(self, stage: Stage) -> dict[str, Any]:
        import msgspec

        # Cell by cell: the limit on what one value may take is not meant for a table.
        rows = msgspec.msgpack.encode([[plain(cell) for cell in row] for row in self._rows])
        return {
            "type": "table",
            "columns": [storable_text(name) for name in self._columns],
            "rows": stage.data(rows),
        }


def _from_rows(data: Sequence[Any], columns: Iterable[str]) -> tuple[list[str], list[list[Any]]]:
    names = [str(column) for column in columns]
    rows = [list(row) for row in data]
    for row in rows:
        if len(row) != len(names):
            raise RichValueError("Table", row, f"a row has {len(row)} cells for {len(names)} columns")
    return names, rows


def _from_dicts(data: Sequence[Any]) -> tuple[list[str], list[list[Any]]]:
    columns: dict[str, None] = {}
    for row in data:
        if not isinstance(row, Mapping):
            raise RichValueError("Table", row, "without columns=[…] each row must be a dict")
        columns.update(dict.fromkeys(map(str, row)))
    named = ({str(key): cell for key, cell in row.items()} for row in data)
    return list(columns), [[row.get(name) for name in columns] for row in named]
