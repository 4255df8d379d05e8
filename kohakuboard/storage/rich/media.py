"""Media and figures that were logged; the bytes are found by their hash, see ../media.py.

media    one row for each: place, hash and extension, n_bytes; width and height in pixels and duration_s, as far as
         known; caption; boxes and masks that lie over an image, and the names of their classes (JSON); a note on
         what is not as it should be

    boxes      [{"box": [x0, y0, x1, y1] in pixels, "class_id", "label", "score", "group"}, …]
    masks      {name: hash of a grayscale PNG whose values are class numbers}
    classes    {class number: name}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from .place import create_placed

__all__ = ["MediaRow", "create"]

_COLUMNS: Final[dict[str, type]] = {
    "hash": str,
    "extension": str,
    "n_bytes": int,
    "kind": str,
    "width": int,
    "height": int,
    "duration_s": float,
    "caption": str,
    "boxes": str,
    "masks": str,
    "classes": str,
    "note": str,
}


@dataclass(frozen=True, slots=True)
class MediaRow:
    """Describe stored media bytes, and what was said of them."""

    hash: str
    extension: str
    n_bytes: int
    kind: str
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    caption: str | None = None
    boxes: Sequence[Mapping[str, Any]] = ()
    masks: Mapping[str, str] | None = None
    classes: Mapping[str, str] | None = None
    note: str | None = None

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Note that they were logged at a place."""
        values = {name: getattr(self, name) for name in _COLUMNS}
        for name in ("boxes", "masks", "classes"):
            values[name] = json.dumps(values[name], ensure_ascii=False) if values[name] else None
        database.table("media").insert({**place, **values})


def create(database: Database) -> None:
    """Make the table, unless it is there."""
    create_placed(database, "media", _COLUMNS)
