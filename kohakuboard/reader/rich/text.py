"""Texts that were logged, and how to find one by a part of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ...storage.rich.texts import INDEX
from ..rows import Rows

__all__ = ["TextEntry", "found_texts", "text_entries", "text_steps"]

_COLUMNS: Final = "t.shard, t.name, t.step, t.time_us, t.position, t.format, t.text"


class TextEntry(NamedTuple):
    """Hold a text logged at a step; `format` is "plain", "markdown" or "html"."""

    name: str
    step: int
    time: np.datetime64  # µs, UTC
    position: int
    format: str
    text: str


def text_entries(rows: Rows, name: str | None, step: int | None) -> list[TextEntry]:
    """Return the texts of one name, or of all, by step."""
    query = (
        f"SELECT {_COLUMNS} FROM texts AS t WHERE (?1 IS NULL OR t.name = ?1) AND (?2 IS NULL OR t.step = ?2) "
        "ORDER BY t.name, t.step, t.seq, t.position"
    )
    return [_entry(*row[1:]) for row in rows.shown(query, [name, step])]


def text_steps(rows: Rows) -> dict[str, list[int]]:
    """Return the steps that texts of each name were logged at, in order, without reading a text."""
    query = "SELECT DISTINCT shard, name, step FROM texts ORDER BY name, step"
    found: dict[str, set[int]] = {}
    for _, name, step in rows.shown(query):
        found.setdefault(name, set()).add(step)
    return {name: sorted(steps) for name, steps in found.items()}


def found_texts(rows: Rows, wanted: str, name: str | None, limit: int) -> list[TextEntry]:
    """Return the texts that a part of a text occurs in, whatever the case of its ASCII letters; the latest first."""
    found: list[TextEntry] = []
    shown: dict[str, set[int]] = {}
    for database in rows.databases():
        matching = _matching(rows, database, wanted, name, limit if rows.are_all_shown() else -1)
        if not rows.are_all_shown():
            for one in {row[2] for row in matching}:
                query = "SELECT shard, name, step, id FROM texts WHERE name = ? ORDER BY id"
                shown[one] = {row[3] for row in rows.shown(query, [one], [database])}
            matching = [row for row in matching if row[0] in shown[row[2]]]
        found += [_entry(*row[2:]) for row in matching[:limit]]
    found.sort(key=lambda entry: entry.time, reverse=True)
    return found[:limit]


def _matching(rows: Rows, database: Path, wanted: str, name: str | None, limit: int) -> list[tuple[Any, ...]]:
    """Return the rows that match, the latest first: their id, and the columns."""
    conditions = "instr(lower(t.text), lower(?1)) AND (?2 IS NULL OR t.name = ?2)"
    indexed = f"SELECT t.id, {_COLUMNS} FROM {INDEX} AS i JOIN texts AS t ON t.id = i.rowid WHERE i.text LIKE ?4 AND "
    try:
        # The index takes % and _ for wildcards and so finds too much, which `instr` leaves out again. By its own rowid
        # it gives the latest first; by `t.id` all that match would be read and sorted.
        query = f"{indexed}{conditions} ORDER BY i.rowid DESC LIMIT ?3"
        return rows.query(query, [wanted, name, limit, f"%{wanted}%"], [database])
    except sqlite3.OperationalError as exc:
        if not any(word in str(exc) for word in (INDEX, "fts5", "tokenizer")):
            raise
    query = f"SELECT t.id, {_COLUMNS} FROM texts AS t WHERE {conditions} ORDER BY t.id DESC LIMIT ?3"
    return rows.query(query, [wanted, name, limit], [database])


def _entry(name: str, step: int, time_us: int, position: int, format_: str, text: str) -> TextEntry:
    return TextEntry(name, step, np.datetime64(time_us, "us"), position, format_, text)
