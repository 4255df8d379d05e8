"""run.db, the row-shaped half of a run, as its writer sees it: one transaction for each flush.

    run          one row: identity, status, process, heartbeat
    config, summary, environment   key, JSON value
    tags         tag
    metrics      one row for each metric: running count, last, min, max, sum; NULL stands for NaN
    shards       one row for each process that logged: its number in Lance, and the last seq that is committed here
    media        one row for each picture or file logged; the bytes are found by their hash
    tables, table_rows   one row for each table logged, one for each of its rows
    problems     damage that the writer met, in words

Times are µs since 1970 UTC. `metrics` can be rebuilt from Lance; nothing else here can.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlite_utils import Database

from ..journal.format import ShardIdentity
from ..journal.scan import Column
from .database import open_for_writing
from .digest import drop_digest, write_digest
from .summary import summarise

__all__ = ["Catalogue", "MediaRow"]

FORMAT: Final = 1

_TABLES: Final[dict[str, tuple[str | None, dict[str, type]]]] = {
    "run": (
        "id",
        {
            "id": int,
            "format": int,
            "run_id": str,
            "name": str,
            "project": str,
            "group_name": str,
            "notes": str,
            "status": str,
            "error": str,
            "started_us": int,
            "ended_us": int,
            "heartbeat_us": int,
            "last_step": int,
            "host": str,
            "pid": int,
            "process_start": int,
        },
    ),
    "config": ("key", {"key": str, "value": str}),
    "summary": ("key", {"key": str, "value": str}),
    "environment": ("key", {"key": str, "value": str}),
    "tags": ("tag", {"tag": str}),
    "metrics": (
        "name",
        {
            "name": str,
            "count": int,
            "nonfinite": int,
            "last": float,
            "last_step": int,
            "last_time_us": int,
            "min": float,
            "min_step": int,
            "max": float,
            "max_step": int,
            "sum": float,
        },
    ),
    "shards": (
        "number",
        {
            "number": int,
            "shard": str,
            "rank": int,
            "pid": int,
            "host": str,
            "started_us": int,
            "committed_seq": int,
        },
    ),
    "media": (
        "id",
        {
            "id": int,
            "shard": int,
            "seq": int,
            "step": int,
            "time_us": int,
            "name": str,
            "position": int,
            "hash": str,
            "extension": str,
            "mime": str,
            "width": int,
            "height": int,
            "n_bytes": int,
            "caption": str,
        },
    ),
    "tables": (
        "id",
        {
            "id": int,
            "shard": int,
            "seq": int,
            "step": int,
            "time_us": int,
            "name": str,
            "position": int,
            "columns": str,
            "n_rows": int,
        },
    ),
    "table_rows": (None, {"table_id": int, "row": int, "cells": str}),
    "problems": (None, {"time_us": int, "text": str}),
}

_MERGE_METRIC: Final = """
INSERT INTO metrics VALUES (:name, :count, :nonfinite, :last, :last_step, :last_time_us,
                            :min, :min_step, :max, :max_step, :sum)
ON CONFLICT (name) DO UPDATE SET
    count = count + excluded.count,
    nonfinite = nonfinite + excluded.nonfinite,
    last = excluded.last,
    last_step = excluded.last_step,
    last_time_us = excluded.last_time_us,
    min_step = iif(min IS NULL OR excluded.min < min, excluded.min_step, min_step),
    min = iif(min IS NULL OR excluded.min < min, excluded.min, min),
    max_step = iif(max IS NULL OR excluded.max > max, excluded.max_step, max_step),
    max = iif(max IS NULL OR excluded.max > max, excluded.max, max),
    sum = sum + excluded.sum
"""


class MediaRow(NamedTuple):
    """Describe stored media bytes."""

    hash: str
    extension: str
    mime: str
    width: int | None
    height: int | None
    n_bytes: int


class Catalogue:
    """Write a run's run.db. One process at a time; use `transaction` around what belongs together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        drop_digest(path)
        # A commit is on disk before the journal that it came from is let go.
        self._connection = open_for_writing(path, log=True)
        self._db = Database(self._connection)
        with self._db.atomic():
            self._create()

    def _create(self) -> None:
        for name, (key, columns) in _TABLES.items():
            self._db.table(name).create(columns, pk=key, if_not_exists=True)
        self._db.table("shards").create_index(["shard"], unique=True, if_not_exists=True)
        self._db.table("media").create_index(["name", "step"], if_not_exists=True)
        self._db.table("tables").create_index(["name", "step"], if_not_exists=True)
        self._db.table("table_rows").create_index(["table_id", "row"], unique=True, if_not_exists=True)
        self._db.table("run").insert({"id": 1, "format": FORMAT}, ignore=True)

    def transaction(self) -> AbstractContextManager[Any]:
        """Commit all that is written inside at once, synced."""
        return self._db.atomic()

    def shard(self, identity: ShardIdentity) -> tuple[int, int]:
        """Return a shard's number and its last committed seq (-1 at first), numbering it when it is new."""
        self._db.execute(
            "INSERT OR IGNORE INTO shards (shard, rank, pid, host, started_us, committed_seq) VALUES (?,?,?,?,?,-1)",
            [identity.shard, identity.rank, identity.pid, identity.host, identity.started_ns // 1000],
        )
        self._connection.commit()
        query = "SELECT number, committed_seq FROM shards WHERE shard = ?"
        number, committed = self._db.execute(query, [identity.shard]).fetchone()
        return number, committed

    def set_committed(self, number: int, seq: int) -> None:
        """Note that all records of a shard up to `seq` are stored."""
        self._db.execute("UPDATE shards SET committed_seq = ? WHERE number = ?", [seq, number])

    def run(self) -> dict[str, Any]:
        """Return the row of the run."""
        row: dict[str, Any] = next(iter(self._db.query("SELECT * FROM run")))
        return row

    def environment(self, key: str) -> Any:
        """Return one value of the environment, None when it is not there."""
        row = self._db.execute("SELECT value FROM environment WHERE key = ?", [key]).fetchone()
        return json.loads(row[0]) if row else None

    def update_run(self, **values: Any) -> None:
        """Change fields of the run's row."""
        self._db.table("run").update(1, values)

    def set_values(self, table: str, values: Mapping[str, Any], remove: Iterable[str] = ()) -> None:
        """Set and remove keys of config, summary or environment."""
        rows = ({"key": key, "value": json.dumps(value, ensure_ascii=False)} for key, value in values.items())
        self._db.table(table).insert_all(rows, pk="key", replace=True)
        for key in remove:
            self._db.execute(f"DELETE FROM {table} WHERE key = ?", [key])

    def add_tags(self, tags: Iterable[str]) -> None:
        """Add tags; those there already stay."""
        self._db.table("tags").insert_all(({"tag": tag} for tag in tags), pk="tag", ignore=True)

    def merge_metrics(self, columns: Mapping[str, Column]) -> None:
        """Take points that are new into the running summaries."""
        # asdict, and not a parameter each: SQLite stores NaN as NULL by itself.
        rows = [asdict(summarise(name, column)) for name, column in columns.items()]
        self._connection.executemany(_MERGE_METRIC, rows)
        highest = max(
            (int(column.steps.max()) for column in columns.values() if len(column.steps)), default=None
        )
        if highest is not None:
            self._db.execute("UPDATE run SET last_step = max(coalesce(last_step, ?1), ?1)", [highest])

    def add_media(self, place: Mapping[str, Any], media: MediaRow, caption: str | None) -> None:
        """Note that media were logged; `place` is shard, seq, step, time_us, name and position."""
        self._db.table("media").insert({**place, **media._asdict(), "caption": caption})

    def add_table(self, place: Mapping[str, Any], columns: list[str], rows: list[list[Any]]) -> None:
        """Store a table logged at a place."""
        row = {**place, "columns": json.dumps(columns, ensure_ascii=False), "n_rows": len(rows)}
        table_id = self._db.table("tables").insert(row).last_pk
        self._connection.executemany(
            "INSERT INTO table_rows VALUES (?, ?, ?)",
            ((table_id, i, json.dumps(cells, ensure_ascii=False)) for i, cells in enumerate(rows)),
        )

    def add_problems(self, time_us: int, texts: Iterable[str]) -> None:
        """Note damage, each once."""
        known = {row["text"] for row in self._db.query("SELECT text FROM problems")}
        self._db.table("problems").insert_all(
            {"time_us": time_us, "text": t} for t in texts if t not in known
        )

    def close(self, *, single_file: bool = False) -> None:
        """Close; with `single_file`, leave run.db without its write-ahead log, which read-only mounts suit."""
        if single_file:
            # Left as it is when somebody reads at this moment: it is then merely two files.
            self._connection.execute("PRAGMA busy_timeout = 500")
            try:
                self._connection.execute("PRAGMA journal_mode=DELETE")
                write_digest(self._path, self._connection)
            except sqlite3.OperationalError:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._connection.close()
