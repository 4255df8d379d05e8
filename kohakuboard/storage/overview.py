"""The small tables of run.db, read at once: all that a list of runs shows, and a page's frame."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .summary import Metric

__all__ = [
    "Beginning",
    "CatalogueSnapshot",
    "MetricRow",
    "ShardOrigin",
    "ShardRow",
    "is_later",
    "take_snapshot",
]


class MetricRow(NamedTuple):
    """Hold the summary of a metric: the last attempt in it, by number, and the highest step of those before."""

    metric: Metric
    attempt: int
    prior_hi: int | None


class ShardRow(NamedTuple):
    """Say how a shard is called in Lance, and up to which seq it is committed."""

    number: int
    committed: int


class ShardOrigin(NamedTuple):
    """Say where a shard comes from; `started_us` in µs since 1970 UTC."""

    rank: int
    started_us: int
    parent: str | None
    host: str | None = None


class Beginning(NamedTuple):
    """Say how a process took the run up, and how that ended. Times in µs since 1970 UTC."""

    number: int | None
    at_step: int | None
    status: str
    error: str | None
    started_us: int
    ended_us: int | None
    process: tuple[str | None, int | None, int | None]  # host, pid, the kernel's start mark


@dataclass(slots=True)
class CatalogueSnapshot:
    """Hold the small tables of run.db; empty for a run that has none yet. JSON values are decoded.

    `metrics` are by rank, a machine's below 0; `shards`, `origins` and `beginnings` by shard, `heartbeats`
    (µs since 1970 UTC) by host.
    """

    run: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    metrics: dict[int, dict[str, MetricRow]] = field(default_factory=dict)
    shards: dict[str, ShardRow] = field(default_factory=dict)
    origins: dict[str, ShardOrigin] = field(default_factory=dict)
    beginnings: dict[str, Beginning] = field(default_factory=dict)
    heartbeats: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    shared_metrics: set[tuple[int, str]] = field(
        default_factory=set
    )  # by rank and name: in several databases


def is_later(one: tuple[int | None, int], other: tuple[int | None, int]) -> bool:
    """Tell whether an attempt, by number and start, is later than another: by number, where both have one."""
    if one[0] is not None and other[0] is not None and one[0] != other[0]:
        return one[0] > other[0]
    return one[1] >= other[1]


def take_snapshot(connection: sqlite3.Connection) -> CatalogueSnapshot:
    """Read the tables. The caller holds a transaction, so that they belong together."""
    run = connection.execute("SELECT * FROM run")
    names = [column[0] for column in run.description]
    of_run = run.fetchone()
    snapshot = CatalogueSnapshot(
        run=dict(zip(names, of_run, strict=True)) if of_run else {},
        config=_values(connection, "config"),
        summary=_values(connection, "summary"),
        environment=_values(connection, "environment"),
        tags=[tag for (tag,) in connection.execute("SELECT tag FROM tags ORDER BY rowid")],
        heartbeats=dict(connection.execute("SELECT host, heartbeat_us FROM writers")),
        problems=[text for (text,) in connection.execute("SELECT text FROM problems ORDER BY rowid")],
    )
    _take_metrics(connection, snapshot)
    _take_shards(connection, snapshot)
    return snapshot


def _take_metrics(connection: sqlite3.Connection, snapshot: CatalogueSnapshot) -> None:
    for rank, attempt, prior_hi, *values in connection.execute(
        "SELECT rank, attempt, prior_hi, name, count, nonfinite, last, last_step, last_time_us, min, min_step, "
        "max, max_step, sum, step_lo, step_hi FROM metrics ORDER BY rowid"
    ):
        row = MetricRow(_metric(tuple(values)), attempt, prior_hi)
        snapshot.metrics.setdefault(rank, {})[row.metric.name] = row


def _take_shards(connection: sqlite3.Connection, snapshot: CatalogueSnapshot) -> None:
    for shard, number, seq, *origin in connection.execute(
        "SELECT shard, number, committed_seq, rank, started_us, parent, host FROM shards"
    ):
        snapshot.shards[shard] = ShardRow(number, seq)
        snapshot.origins[shard] = ShardOrigin(*origin)
    for shard, number, at_step, status, error, started_us, ended_us, host, pid, mark in connection.execute(
        "SELECT shard, number, at_step, status, error, started_us, ended_us, host, pid, process_start FROM attempts"
    ):
        snapshot.beginnings[shard] = Beginning(
            number, at_step, status, error, started_us, ended_us, (host, pid, mark)
        )


def _metric(values: tuple[Any, ...]) -> Metric:
    # SQLite keeps no NaN: NULL stands for it.
    name, count, nonfinite, last, last_step, last_time, low, low_step, high, high_step, total, *steps = values
    low, high, last, total = (math.nan if number is None else number for number in (low, high, last, total))
    return Metric(
        name, count, nonfinite, last, last_step, last_time, low, low_step, high, high_step, total, *steps
    )


def _values(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    return {
        key: json.loads(text)
        for key, text in connection.execute(f"SELECT key, value FROM {table} ORDER BY rowid")
    }
