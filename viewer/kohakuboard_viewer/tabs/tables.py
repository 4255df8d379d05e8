"""Tables: the one of a name and step, a page at a time, sorted and searched by the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kohakuboard.reader import MediaEntry, Run, TableEntry, TablePage

from .. import present
from .base import Ask, Paging, Steps, Tab, chosen_name

__all__ = ["TAB", "Cell"]

_ROWS: Final = 50
_MOST_PAGES: Final = 10**9
_MOST_COLUMNS: Final = 200
_LONGEST: Final = 1000
_SHORT: Final = 24  # is not broken into lines


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold a cell as it is shown: of which kind it is, its text, how much of that was cut off, and its media."""

    kind: str
    text: str
    cut: int = 0
    media: MediaEntry | None = None


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    tables = run.tables()
    names = list(dict.fromkeys(table.name for table in tables))
    name = chosen_name(ask, names)
    steps = Steps.of(ask, (table.step for table in tables if table.name == name))
    several = [table for table in tables if table.name == name and table.step == steps.chosen]
    place = ask.within("nth", len(several), 1, max(len(several), 1)) - 1
    shown = {"names": names, "name": name, "steps": steps, "several": len(several), "nth": place + 1}
    return {**shown, "query": ask.words("q"), **(_page(several[place], ask) if several else {"table": None})}


def _page(table: TableEntry, ask: Ask) -> Mapping[str, Any]:
    """Return the rows that are asked for."""
    sort = ask.text("sort")
    sort_by, descending = sort if sort in table.columns else None, ask.words("desc") == "1"

    def read(begin: int) -> TablePage:
        search = ask.words("q") or None
        return table.page(begin, _ROWS, sort_by=sort_by, descending=descending, search=search)

    wanted = (ask.within("page", 1, 1, _MOST_PAGES) - 1) * _ROWS
    page = read(wanted)
    paging = Paging.of(ask, page.n_rows, _ROWS)
    if paging.begin != wanted:  # beyond the last page, which was not known before
        page = read(paging.begin)
    columns = list(zip(table.columns, table.kinds, strict=True))
    return {
        "table": table,
        "columns": columns[:_MOST_COLUMNS],
        "hidden_columns": max(len(columns) - _MOST_COLUMNS, 0),
        "rows": _cells(page.rows, page.numbers),
        "paging": paging,
        "sort_by": sort_by,
        "descending": descending,
    }


def _cells(rows: Sequence[Sequence[Any]], numbers: Sequence[int]) -> list[tuple[int, list[Cell]]]:
    return [
        (number, [_cell(value) for value in row[:_MOST_COLUMNS]])
        for number, row in zip(numbers, rows, strict=True)
    ]


def _cell(value: object) -> Cell:
    if isinstance(value, MediaEntry):
        return Cell("media", value.caption or "", media=value)
    if value is None:
        return Cell("nil", "–")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell("n", present.number(value))
    text = value.hex(" ") if isinstance(value, bytes) else present.plain(value)
    kind = "short" if len(text) <= _SHORT and "\n" not in text else "text"
    return Cell(kind, text[:_LONGEST], max(len(text) - _LONGEST, 0))


TAB = Tab("tables", "Tables", lambda run: len({table.name for table in run.tables()}), _show)
