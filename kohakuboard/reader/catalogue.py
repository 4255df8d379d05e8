"""Read run.db: everything row-shaped that is committed, as one snapshot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..storage.database import connect
from ..storage.digest import read_digest
from ..storage.overview import CatalogueSnapshot, take_snapshot

__all__ = ["CatalogueSnapshot", "read_catalogue", "stamp"]


def stamp(path: Path) -> tuple[Any, ...]:
    """Return what changes whenever run.db or its write-ahead log does."""
    return _stat(str(path)), _stat(f"{path}-wal")


def _stat(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def read_catalogue(path: Path) -> CatalogueSnapshot:
    """Read run.db in one transaction; an empty snapshot when it is not there yet. Raises sqlite3.DatabaseError."""
    digest = read_digest(str(path))
    if digest is not None:
        return digest
    if not path.exists():
        return CatalogueSnapshot()
    with connect(path) as connection:
        connection.execute("BEGIN")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'problems'").fetchone():
            return CatalogueSnapshot()  # its writer has only begun to make it
        return take_snapshot(connection)
