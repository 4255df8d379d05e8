"""Read the tables of one name as if they were one: the rows of all steps, each with its step."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kohakuboard.reader import MediaEntry, TableEntry

from . import present

__all__ = ["MOST_SORTED", "JoinedPage", "csv_of", "joined_columns", "joined_page"]

# Rows of several tables are sorted in memory, up to so many.
MOST_SORTED: Final = 20_000
_BATCH: Final = 2000  # rows of a CSV file at a time

Row = list[Any]
_Found = tuple[int, int, Row]  # step, number, cells


@dataclass(frozen=True, slots=True)
class JoinedPage:
    """Hold some rows, each with its step and its number in the table it is of, and how many there are in all."""

    rows: Sequence[Row]
    steps: Sequence[int]
    numbers: Sequence[int]
    n_rows: int


def joined_columns(tables: Sequence[TableEntry]) -> list[tuple[str, str]]:
    """Return the columns of all tables, in order of first appearance, each with the kind it has first."""
    found: dict[str, str] = {}
    for table in tables:
        for name, kind in zip(table.columns, table.kinds, strict=True):
            found.setdefault(name, kind)
    return list(found.items())


def joined_page(
    tables: Sequence[TableEntry],
    columns: Sequence[str],
    begin: int,
    size: int,
    *,
    search: str | None = None,
    sort_by: str | None = None,
    descending: bool = False,
) -> JoinedPage:
    """Return some rows of all tables, in the order of their steps, or sorted by a column."""
    counts = [table.page(0, 0, search=search).n_rows if search else table.n_rows for table in tables]
    total = sum(counts)
    if sort_by is None or total > MOST_SORTED:
        found = list(_between(tables, counts, columns, begin, size, search))
    else:
        every = list(_between(tables, counts, columns, 0, total, search))
        at = list(columns).index(sort_by)
        there, missing = _parted(every, at)
        there.sort(key=lambda one: _rank(one[2][at]), reverse=descending)
        found = [*there, *missing][begin : begin + size]
    return JoinedPage(
        [row for _, _, row in found],
        [step for step, _, _ in found],
        [number for _, number, _ in found],
        total,
    )


def csv_of(tables: Sequence[TableEntry], *, with_step: bool, search: str | None = None) -> Iterator[bytes]:
    """Yield tables as one CSV file, some rows at a time."""
    columns = [name for name, _ in joined_columns(tables)]
    yield _packed([["step", *columns] if with_step else columns])
    for table in tables:
        for begin in range(0, table.n_rows, _BATCH):
            page = table.page(begin, _BATCH, search=search)
            if not page.rows:
                break
            rows = (_placed(table, row, columns) for row in page.rows)
            yield _packed([[*([table.step] if with_step else []), *map(_plain, row)] for row in rows])


def _between(
    tables: Sequence[TableEntry],
    counts: Sequence[int],
    columns: Sequence[str],
    begin: int,
    size: int,
    search: str | None,
) -> Iterator[_Found]:
    """Yield step, number and cells of the rows from one place on."""
    for table, count in zip(tables, counts, strict=True):
        if size <= 0:
            return
        if begin < count:
            page = table.page(begin, size, search=search)
            for number, row in zip(page.numbers, page.rows, strict=True):
                yield table.step, number, _placed(table, row, columns)
            size -= len(page.rows)
        begin = max(begin - count, 0)


def _placed(table: TableEntry, row: Row, columns: Sequence[str]) -> Row:
    """Return the cells of a row in the order of all columns, None where its table has none."""
    if table.columns == columns:
        return row
    cells = dict(zip(table.columns, row, strict=True))
    return [cells.get(name) for name in columns]


def _parted(rows: Iterable[_Found], at: int) -> tuple[list[_Found], list[_Found]]:
    """Return the rows that have a value in a column, and those that have none, which come last."""
    there: list[_Found] = []
    missing: list[_Found] = []
    for one in rows:
        value = one[2][at]
        (missing if value is None or value != value else there).append(one)
    return there, missing


def _rank(value: object) -> tuple[int, Any]:
    """Return what a cell is sorted by: numbers come before text, as SQLite has it."""
    if isinstance(value, int | float):
        return 0, value
    return 1, _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, MediaEntry):
        return value.caption or f"{value.hash}.{value.extension}"
    if value is None or isinstance(value, int | float):
        return value
    return value.hex() if isinstance(value, bytes) else present.plain(value)


def _packed(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
