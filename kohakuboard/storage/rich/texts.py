"""Texts that were logged.

texts           one row for each: place, format ("plain", "markdown" or "html"), text
texts_search    an index of their trigrams, by which any part of a text is found (FTS5); it holds no text itself. It is
                missing where SQLite is older than 3.34, and whatever is looked for is looked for in each text then

Indexing costs about 30 µs a text of 64 characters and half again its bytes; of 1M such texts, those with a rare word
are found in a few ms.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from .place import PLACE, create_placed

__all__ = ["INDEX", "TextRow", "create"]

INDEX: Final = "texts_search"
# Without positions, which LIKE has no use for: a third of the bytes.
_CREATE_INDEX: Final = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {INDEX} USING fts5"
    "(text, content='texts', content_rowid='id', tokenize='trigram', detail=none)"
)
_NAMES: Final = (*PLACE, "format", "text")
_INSERT: Final = (
    f"INSERT INTO texts ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"
)


@dataclass(frozen=True, slots=True)
class TextRow:
    """Hold a text."""

    text: str
    format: str

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Store it as logged at a place."""
        # Not by sqlite-utils, which looks at the schema for each row: that took longer than the index does.
        row = database.execute(_INSERT, {**place, "format": self.format, "text": self.text}).lastrowid
        try:
            database.execute(f"INSERT INTO {INDEX} (rowid, text) VALUES (?, ?)", [row, self.text])
        except sqlite3.OperationalError as exc:
            if f"no such table: {INDEX}" not in str(exc):
                raise


def create(database: Database) -> None:
    """Make the table and its index, unless they are there."""
    create_placed(database, "texts", {"format": str, "text": str})
    with suppress(sqlite3.OperationalError):  # no FTS5, or one without trigrams
        database.execute(_CREATE_INDEX)
