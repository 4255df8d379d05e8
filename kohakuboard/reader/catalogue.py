"""Read run.db: everything row-shaped that is committed, as one snapshot."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from ..storage.digest import read_digest
from ..storage.overview import CatalogueSnapshot, take_snapshot

__all__ = ["CatalogueSnapshot", "connect", "read_catalogue", "stamp"]


# The writer holds its lock for milliseconds; a page must not wait for whoever holds it for longer.
LOCK_TIMEOUT_S: Final = 2.0


def stamp(path: Path) -> tuple[Any, ...]:
    """Return what changes whenever run.db or its write-ahead log does."""
    return _stat(str(path)), _stat(f"{path}-wal")


def _stat(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading only, also on a read-only mount and with a write-ahead log left by a crash."""
    connection = _connect_in_place(path)
    if connection is not None:
        with closing(connection):
            yield connection
        return
    # The log can only be read beside a shared-memory file, which cannot be made here: read a copy elsewhere.
    with tempfile.TemporaryDirectory(prefix="kohakuboard-") as directory:
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copyfile(source, Path(directory, path.name + suffix))
        with closing(sqlite3.connect(Path(directory, path.name))) as connection:
            yield connection


def _connect_in_place(path: Path) -> sqlite3.Connection | None:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as exc:
        connection.close()
        if "open" in str(exc) or "readonly" in str(exc):
            return None
        raise
    except BaseException:
        connection.close()
        raise
    return connection


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
