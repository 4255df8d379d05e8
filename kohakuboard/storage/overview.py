"""The small tables of run.db, read at once: all that a list of runs shows, and a page's frame."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from .summary import Metric

__all__ = ["CatalogueSnapshot", "take_snapshot"]


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


def take_snapshot(connection: sqlite3.Connection) -> CatalogueSnapshot:
    """Read the tables. The caller holds a transaction, so that they belong together."""
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
