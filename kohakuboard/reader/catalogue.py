"""Read run.db: everything row-shaped that is committed, as one snapshot."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..storage.summary import Metric

__all__ = ["CatalogueSnapshot", "connect", "read_catalogue", "stamp"]


# The writer holds its lock for milliseconds; a page must not wait for whoever holds it for longer.
LOCK_TIMEOUT_S: Final = 2.0


@dataclass(slots=True)
class CatalogueSnapshot:
    """Hold the small tables of run.db; empty for a run that has none yet. JSON values are decoded."""

    run: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    shards: dict[str, tuple[int, int]] = field(default_factory=dict)  # name: (number, last committed seq)
    problems: list[str] = field(default_factory=list)


def stamp(path: Path) -> tuple[Any, ...]:
    """Return what changes whenever run.db or its write-ahead log does."""
    return tuple(_stat(path.with_name(path.name + suffix)) for suffix in ("", "-wal"))


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
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
    if not path.exists():
        return CatalogueSnapshot()
    with connect(path) as connection:
        connection.execute("BEGIN")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'problems'").fetchone():
            return CatalogueSnapshot()  # its writer has only begun to make it
        return _snapshot(connection)


def _snapshot(connection: sqlite3.Connection) -> CatalogueSnapshot:
    run = connection.execute("SELECT * FROM run")
    names = [column[0] for column in run.description]
    row = run.fetchone()
    return CatalogueSnapshot(
        run=dict(zip(names, row, strict=True)) if row else {},
        config=_values(connection, "config"),
        summary=_values(connection, "summary"),
        environment=_values(connection, "environment"),
        tags=[tag for (tag,) in connection.execute("SELECT tag FROM tags ORDER BY rowid")],
        metrics={
            values[0]: _metric(values)
            for values in connection.execute(
                "SELECT name, count, nonfinite, last, last_step, last_time_us, min, min_step, max, max_step, sum "
                "FROM metrics ORDER BY rowid"
            )
        },
        shards={
            shard: (number, seq)
            for shard, number, seq in connection.execute("SELECT shard, number, committed_seq FROM shards")
        },
        problems=[text for (text,) in connection.execute("SELECT text FROM problems ORDER BY rowid")],
    )


def _metric(values: tuple[Any, ...]) -> Metric:
    # SQLite keeps no NaN: NULL stands for it.
    name, count, nonfinite, last, last_step, last_time, low, low_step, high, high_step, total = values
    low, high, last, total = (math.nan if number is None else number for number in (low, high, last, total))
    return Metric(name, count, nonfinite, last, last_step, last_time, low, low_step, high, high_step, total)


def _values(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    return {
        key: json.loads(text)
        for key, text in connection.execute(f"SELECT key, value FROM {table} ORDER BY rowid")
    }
