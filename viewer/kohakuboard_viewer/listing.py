"""What one page of the table of runs shows: the runs that a query finds, sorted or grouped, as cells of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from . import fields, present
from .asked import Asked
from .column import Column, number_text
from .grouping import Groups, group
from .matching import matching
from .query import Compare, Missing, Query, QueryError, Value, parse, text_of
from .rows import Row
from .table import Table

__all__ = ["PER_PAGE", "Cell", "Group", "Head", "Listing", "default_columns", "list_runs"]

PER_PAGE: Final = 100

_MAIN_METRICS: Final = 5
_MAIN_CONFIG: Final = 6
# A curve is drawn from the points of the run, and reads them: for very many runs one has to ask for it.
_FEW_RUNS: Final = 500
# Beyond that one has to choose them: it takes a millisecond to find out whether a column varies.
_MOST_TRIED: Final = 200
_FACTS: Final = ("status", "started", "duration", "step")
_DRAWN: Final = ("status", "project", "started", "ended")
_SHORTEST: Final = 60  # characters of a text in a cell; the rest is in its title


@dataclass(frozen=True, slots=True)
class Head:
    """Describe a column: its key, what stands above it, and how it is sorted ("", "ascending", "descending")."""

    key: str
    label: str
    numeric: bool
    sorted: str
    width: int | None
    drawn: bool  # in a way of its own: a badge, a link, a time or a picture
    begin: Markup  # of a cell that has a value, but for its title; for 5 000 cells a template would take as long again
    begin_empty: Markup

    @property
    def kind(self) -> str:
        """Return where its values come from."""
        return fields.split(self.key)[0]

    @property
    def curve(self) -> bool:
        """Tell whether it shows pictures of curves."""
        return fields.is_curve(self.key)


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold what stands in a place of the table; `value` is what was logged, for scripts."""

    text: str
    value: Any
    title: str = ""
    numeric: bool = False

    @property
    def empty(self) -> bool:
        """Tell whether the run has no such value."""
        return self.value is None


@dataclass(frozen=True, slots=True)
class Group:
    """Hold runs with the same values: by which query these are found, how many there are, and what they came to."""

    query: str
    size: int
    by: Sequence[Cell]
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Listing:
    """Hold one page of the table; `groups` instead of `rows` where runs are grouped."""

    asked: Asked
    total: int
    found: int
    archived: int
    error: QueryError | None
    heads: Sequence[Head]
    rows: Sequence[tuple[Row, Sequence[Cell]]]
    by: Sequence[Head]
    groups: Sequence[Group]
    n_shown: int

    @property
    def page(self) -> int:
        """Return the page that is shown: the one asked for, or the last."""
        return min(self.asked.page, self.last)

    @property
    def last(self) -> int:
        """Return the number of the last page."""
        return max(-(-self.n_shown // PER_PAGE), 1)


def list_runs(table: Table, asked: Asked) -> Listing:
    """Return the page of a table that is asked for; a query that cannot be understood finds all."""
    groups_by = [key for name in asked.groups if (key := _known_key(table, name))]
    asked = replace(asked, groups=tuple(dict.fromkeys(groups_by)))
    query, places, error = _found(table, asked)
    keys = _columns(table, asked)
    table.read(key for key in keys if not _is_drawn(key))
    groups = (
        group([table.column(key).take(places) for key in asked.groups], len(places)) if asked.groups else None
    )
    n_shown = len(places) if groups is None else len(groups)
    page = min(asked.page, max(-(-n_shown // PER_PAGE), 1))
    window = slice((page - 1) * PER_PAGE, page * PER_PAGE)
    rows: list[tuple[Row, Sequence[Cell]]] = []
    if groups is None:
        rows = _rows(table, keys, _sorted(table, asked, places)[window].tolist())
    else:
        keys = [
            key
            for key in keys
            if key not in (*asked.groups, "started", "status") and not fields.is_curve(key)
        ]
    return Listing(
        asked=asked,
        total=len(table),
        found=len(places),
        archived=table.archived,
        error=error,
        heads=[_head(table, key, asked) for key in keys],
        rows=rows,
        by=[_head(table, key, asked) for key in asked.groups],
        groups=_groups(table, asked, query, places, groups, keys, window) if groups is not None else [],
        n_shown=n_shown,
    )


def _found(table: Table, asked: Asked) -> tuple[Query | None, NDArray[np.int64], QueryError | None]:
    """Return the query that was understood, the places of the runs it finds, and what is wrong with it."""
    query, error, mask = None, None, np.ones(len(table), np.bool_)
    try:
        query = parse(asked.query)
        mask = matching(query, table)
    except QueryError as exc:
        query, error = None, exc
    if table.archived and not asked.archived and "archived" not in asked.query:
        mask &= np.array([not row.archived for row in table.rows], np.bool_)
    return query, np.flatnonzero(mask), error


def _sorted(table: Table, asked: Asked, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places in the order that is asked for, pinned runs before the others."""
    key = _known_key(table, asked.sort)
    if key is not None:
        places = places[table.column(key).take(places).order(descending=asked.descending)]
    pinned = np.array([table.rows[place].pinned for place in places.tolist()], np.bool_)
    return np.concatenate([places[pinned], places[~pinned]]) if pinned.any() else places


def _known_key(table: Table, name: str) -> str | None:
    return fields.resolve(name, table.names)[0] if name else None


def _columns(table: Table, asked: Asked) -> list[str]:
    """Return the keys of the columns: those asked for that there are, or those that tell the runs apart."""
    if asked.columns is not None:
        found = [key for name in asked.columns if (key := _known_key(table, name))]
        return [key for key in dict.fromkeys(found) if key != "name"]
    return default_columns(table)


def default_columns(table: Table) -> list[str]:
    """Return what every run has, the main metrics, and of the config what varies."""
    table.read(_tried(table))
    varying = [key for key in _tried(table) if table.column(key).varies][:_MAIN_CONFIG]
    names = table.names["metric"]
    own = [name for name in names if not name.startswith("system/")] or list(names)
    weighted = {name: names[name] for name in own}
    metrics = [f"metric.{name}" for name in present.main_metrics(weighted, _MAIN_METRICS)]
    if metrics and len(table) <= _FEW_RUNS:
        metrics.insert(1, f"{metrics[0]}:{fields.CURVE}")
    return [*_FACTS, *metrics, *varying]


def _tried(table: Table) -> list[str]:
    return [f"config.{name}" for name in table.names["config"]][:_MOST_TRIED]


def _is_drawn(key: str) -> bool:
    return key in _DRAWN or fields.is_curve(key)


def _head(table: Table, key: str, asked: Asked) -> Head:
    sorted_by = _known_key(table, asked.sort) == key
    order = ("descending" if asked.descending else "ascending") if sorted_by else ""
    drawn = _is_drawn(key)
    numeric = not drawn and bool(table.column(key).is_number.any())
    width, label = asked.widths.get(key), fields.label(key)
    classes = " ".join(filter(None, ["n" if numeric else "", "sized" if width else ""]))
    begin = Markup('<td class="{}" data-label="{}"')
    empty = begin.format(f"{classes} nil".lstrip(), label)
    return Head(key, label, numeric, order, width, drawn, begin.format(classes, label), empty)


def _rows(table: Table, keys: Sequence[str], places: Sequence[int]) -> list[tuple[Row, Sequence[Cell]]]:
    readers = [(key, fields.getter(key)) for key in keys]
    rows = [table.rows[place] for place in places]
    return [(row, [_cell(key, read(row)) for key, read in readers]) for row in rows]


def _cell(key: str, value: Any) -> Cell:
    """Return a value as text, cut where it is long."""
    if value is None:
        return Cell("–", None)
    if fields.is_curve(key):
        return Cell(fields.curve_of(key), fields.curve_of(key))
    if key == "duration":
        return Cell(present.duration(value), value, numeric=True)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(present.number(value), value, numeric=True)
    whole = ", ".join(value) if isinstance(value, tuple) else present.text(value)
    short = whole if len(whole) <= _SHORTEST else whole[:_SHORTEST] + "…"
    return Cell(short, list(value) if isinstance(value, tuple) else value, whole if short != whole else "")


def _groups(
    table: Table,
    asked: Asked,
    query: Query | None,
    places: NDArray[np.int64],
    groups: Groups,
    keys: Sequence[str],
    window: slice,
) -> list[Group]:
    columns = {key: table.column(key).take(places) for key in (*keys, *asked.groups)}
    order = _group_order(table, asked, places, groups)[window].tolist()
    cells = {key: _group_cells(columns[key], groups, key, order) for key in keys}
    sizes = groups.sizes
    found = []
    for number, place in enumerate(order):
        row = table.rows[places[groups.first[place]]]
        by = [(key, fields.getter(key)(row)) for key in asked.groups]
        found.append(
            Group(
                query=_narrowed(query, by),
                size=int(sizes[place]),
                by=[_cell(key, value) for key, value in by],
                cells=[cells[key][number] for key in keys],
            )
        )
    return found


def _group_order(table: Table, asked: Asked, places: NDArray[np.int64], groups: Groups) -> NDArray[np.int64]:
    """Return the groups by the mean of the column that is sorted by, or by its value in each group's first run."""
    key = _known_key(table, asked.sort)
    if key is None:
        return np.arange(len(groups))
    column = table.column(key).take(places)
    if not column.is_number.any():
        return column.take(groups.first).order(descending=asked.descending)
    spread = groups.spread(column)
    means = [float(mean) if count else None for mean, count in zip(spread.mean, spread.count, strict=True)]
    return Column.of(means).order(descending=asked.descending)


def _group_cells(column: Column, groups: Groups, key: str, order: Sequence[int]) -> list[Cell]:
    """Return for each group mean ± standard deviation (n), or its text, or how many different ones it has."""
    spread, texts = groups.spread(column), groups.texts(column)
    write = present.duration if key == "duration" else present.number
    found = []
    for place in order:
        count, mean, std = int(spread.count[place]), float(spread.mean[place]), float(spread.std[place])
        if count:
            shown = write(mean) if count == 1 else f"{write(mean)} ± {write(std)}"
            value = {"mean": mean, "std": std if count > 1 else None, "n": count}
            found.append(Cell(f"{shown} ({count})", value, numeric=True))
        elif len(texts[place]) == 1:
            found.append(_cell(key, ", ".join(column.texts[next(iter(texts[place]))])))
        elif texts[place]:
            found.append(Cell(f"{len(texts[place])} different", {"different": len(texts[place])}))
        else:
            found.append(Cell("–", None))
    return found


def _narrowed(query: Query | None, values: Sequence[tuple[str, Any]]) -> str:
    """Return the query that finds the runs of a group."""
    parts = [text_of(_equals(key, value)) for key, value in values]
    given = f"({text_of(query)})" if query is not None else ""
    return " and ".join(filter(None, [given, *parts]))


def _equals(key: str, value: Any) -> Query:
    if value is None:
        return Missing(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Compare(key, "=", Value(number_text(float(value))))
    text = ", ".join(value) if isinstance(value, tuple) else present.plain(value)
    if isinstance(value, bool):
        return Compare(key, "=", Value(text))
    return Compare(key, "=", Value(text, quoted=True))
