"""Tables of several runs at the same step, the same rows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kohakuboard.reader import Run, TableEntry

from ..shelf import Shelf
from ..tabs import Paging
from ..tabs.base import at_step
from ..tabs.tables import Cell, cell_of
from .ask import RunsAsk
from .beside import beside
from .runs import Gathered
from .view import View

__all__ = ["VIEW", "Part"]

_RUNS: Final = 8
_ROWS: Final = 20
_MOST_COLUMNS: Final = 50


@dataclass(frozen=True, slots=True)
class Part:
    """Hold the rows of a table that are shown, and its columns with their kinds."""

    table: TableEntry
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[int, Sequence[Cell]]]


def _show(shelf: Shelf, gathered: Gathered, ask: RunsAsk) -> Mapping[str, Any]:
    chosen = beside(shelf, gathered, ask, "tables", _names, size=_RUNS)
    found: dict[str, tuple[Sequence[int], Sequence[TableEntry]]] = {}
    for each in chosen.runs:
        with shelf.run(each.folder, each.id) as run:
            tables = sorted(run.tables(chosen.name), key=lambda table: table.step)
            found[each.address] = [table.step for table in tables], tables
    told = chosen.told(found, ask)
    last = {address: at_step(tables, told["steps"].chosen)[-1:] for address, (_, tables) in found.items()}
    longest = max((table.n_rows for tables in last.values() for table in tables), default=0)
    rows = Paging.of(ask, longest, _ROWS, "rows")
    parts = {address: _part(tables[0], rows.begin) if tables else None for address, tables in last.items()}
    return {**told, "parts": parts, "rows": rows}


def _part(table: TableEntry, begin: int) -> Part:
    page = table.page(begin, _ROWS)
    cells = [[cell_of(value) for value in row[:_MOST_COLUMNS]] for row in page.rows]
    columns = list(zip(table.columns, table.kinds, strict=True))[:_MOST_COLUMNS]
    return Part(table, columns, list(zip(page.numbers, cells, strict=True)))


def _names(run: Run) -> list[str]:
    return [table.name for table in run.tables()]


VIEW = View("tables", "Tables", _show)
