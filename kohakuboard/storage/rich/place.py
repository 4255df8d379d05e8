"""The columns that say where a rich value was logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlite_utils import Database

__all__ = ["PLACE", "create_placed"]

PLACE: Final[dict[str, type]] = {
    "shard": int,
    "seq": int,
    "step": int,
    "time_us": int,
    "name": str,
    "position": int,
}


def create_placed(database: Database, table: str, columns: Mapping[str, type]) -> None:
    """Make a table of rich values, found by name and step, unless it is there."""
    database.table(table).create({"id": int, **PLACE, **columns}, pk="id", if_not_exists=True)
    database.table(table).create_index(["name", "step"], if_not_exists=True)
