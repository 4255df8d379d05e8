"""Tables: the one of a name and step, or of all steps, a page at a time, sorted and searched by the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kohakuboard.reader import MediaEntry, Run, TableEntry

from .. import present
from ..joined import MOST_SORTED, JoinedPage, joined_columns, joined_page
from ..kept import Kept
from .base import Ask, Paging, Steps, Tab, chosen_name

__all__ = ["ALL", "TAB", "Cell", "cell_of", "tables_asked"]

ALL: Final = "all"  # what stands for all steps

_ROWS: Final = 50
_MOST_PAGES: Final = 10**9
_MOST_COLUMNS: Final = 200
_LONGEST: Final = 1000
_SHORT: Final = 24  # is not broken into lines
_LIMIT_BYTES: Final = 16 * 1024 * 1024

_READ: Final = Kept[JoinedPage](
    _LIMIT_BYTES, lambda page: 500 + sum(100 + len(str(cell)) for row in page.rows for cell in row)
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold a cell as it is shown: of which kind it is, its text, how much of that was cut off, and its media."""

    kind: str
    text: str
    cut: int = 0
    media: MediaEntry | None = None


def tables_asked(run: Run, ask: Ask) -> tuple[list[TableEntry], bool]:
    """Return the tables that a URL asks for, and whether those of all steps are."""
    tables = run.tables()
    name = chosen_name(ask, list(dict.fromkeys(table.name for table in tables)))
    of_name = [table for table in tables if table.name == name]
    if ask.words("step") == ALL:
        return sorted(of_name, key=lambda table: table.step), True
    step = Steps.of(ask, (table.step for table in of_name)).chosen
    several = [table for table in of_name if table.step == step]
    return several[_nth(ask, several) - 1 :][:1], False


def _nth(ask: Ask, several: Sequence[TableEntry]) -> int:
    return ask.within("nth", len(several), 1, max(len(several), 1))


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    tables = run.tables()
    names = list(dict.fromkeys(table.name for table in tables))
    name = chosen_name(ask, names)
    steps = Steps.of(ask, (table.step for table in tables if table.name == name))
    several = [table for table in tables if table.name == name and table.step == steps.chosen]
    asked, joined = tables_asked(run, ask)
    shown = {"names": names, "name": name, "steps": steps, "joined": joined, "query": ask.words("q")}
    place = {"several": 0 if joined else len(several), "nth": _nth(ask, several)}
    return {**shown, **place, **(_page(run, asked, joined, ask) if asked else {"tables": []})}


def _page(run: Run, tables: Sequence[TableEntry], joined: bool, ask: Ask) -> Mapping[str, Any]:
    """Return the rows that are asked for."""
    columns = joined_columns(tables)
    names = [name for name, _ in columns]
    n_rows = sum(table.n_rows for table in tables)
    sortable = not joined or n_rows <= MOST_SORTED
    sort_by = ask.text("sort") if ask.text("sort") in names and sortable else None
    descending, search = ask.words("desc") == "1", ask.words("q") or None

    def read(begin: int) -> JoinedPage:
        # To find and count what has some words, or to sort, every row is looked at: 0.4 s of a million.
        first = tables[0]
        key = (
            run.path,
            first.name,
            joined or (first.step, first.position),
            begin,
            sort_by,
            descending,
            search,
        )
        return _READ.get(key, run.stored_version, lambda: look(begin))

    def look(begin: int) -> JoinedPage:
        if joined:
            order = {"sort_by": sort_by, "descending": descending}
            return joined_page(tables, names, begin, _ROWS, search=search, **order)  # type: ignore[arg-type]
        page = tables[0].page(begin, _ROWS, sort_by=sort_by, descending=descending, search=search)
        return JoinedPage(page.rows, [tables[0].step] * len(page.rows), page.numbers, page.n_rows)

    wanted = (ask.within("page", 1, 1, _MOST_PAGES) - 1) * _ROWS
    page = read(wanted)
    paging = Paging.of(ask, page.n_rows, _ROWS)
    if paging.begin != wanted:  # beyond the last page, which was not known before
        page = read(paging.begin)
    return {
        "tables": tables,
        "n_rows": n_rows,
        "sortable": sortable,
        "columns": columns[:_MOST_COLUMNS],
        "hidden_columns": max(len(columns) - _MOST_COLUMNS, 0),
        "rows": _cells(page.rows, page.steps, page.numbers),
        "paging": paging,
        "sort_by": sort_by,
        "descending": descending,
    }


def _cells(
    rows: Sequence[Sequence[Any]], steps: Sequence[int], numbers: Sequence[int]
) -> list[tuple[int, int, list[Cell]]]:
    return [
        (step, number, [cell_of(value) for value in row[:_MOST_COLUMNS]])
        for step, number, row in zip(steps, numbers, rows, strict=True)
    ]


def cell_of(value: object) -> Cell:
    """Return a value of a table as it is shown."""
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
