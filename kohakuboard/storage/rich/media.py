"""Media that were logged; the bytes are found by their hash, see ../media.py.

media    one row for each picture or file logged: place, hash, extension, mime, width, height, n_bytes, caption
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from .place import create_placed

__all__ = ["MediaRow", "create"]


@dataclass(frozen=True, slots=True)
class MediaRow:
    """Describe stored media bytes, and what was said of them."""

    hash: str
    extension: str
    mime: str
    width: int | None
    height: int | None
    n_bytes: int
    caption: str | None

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Note that they were logged at a place."""
        database.table("media").insert({**place, **asdict(self)})


def create(database: Database) -> None:
    """Make the table, unless it is there."""
    columns = {
        "hash": str,
        "extension": str,
        "mime": str,
        "width": int,
        "height": int,
        "n_bytes": int,
        "caption": str,
    }
    create_placed(database, "media", columns)
