"""The small tables of run.db, read at once: all that a list of runs shows, and a page's frame.

They are read by the ten thousand from digests: as Structs, positional, in two thirds of the time that dataclasses and
tuples take; metrics, of which there are most, as bytes (see packed.py). None of them is ever part of a reference cycle,
so none is shown to the collector (`gc=False`).
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from .summary import Metric

__all__ = [
    "Beginning",
    "CatalogueSnapshot",
    "Reach",
    "ShardOrigin",
    "ShardRow",
    "is_later",
    "take_snapshot",
]


class Reach(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Say which attempt (by its shard's number) last added to a summary, and the highest step of those before."""

    attempt: int | None
    prior_hi: int | None


class ShardRow(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """Say how a shard is called in Lance, and up to which seq it is committed."""

    number: int
    committed: int


class ShardOrigin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Say where a shard comes from; `started_us` in µs since 1970 UTC."""

    rank: int
    started_us: int
    parent: str | None
    host: str | None = None


class Beginning(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Say how a process took the run up, and how that ended. Times in µs since 1970 UTC."""

    number: int | None
    at_step: int | None
    status: str
    error: str | None
    started_us: int
    ended_us: int | None
    process: tuple[str | None, int | None, int | None]  # host, pid, the kernel's start mark


class CatalogueSnapshot(msgspec.Struct, array_like=True, gc=False):
    """Hold the small tables of run.db; empty for a run that has none yet. JSON values are decoded.

    `metrics` and `reaches` are by rank, a machine's below 0, and by name; `shards`, `origins` and `beginnings` by
    shard, `heartbeats` (µs since 1970 UTC) by host.
    """

    run: dict[str, Any] = {}
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    tags: list[str] = []
    metrics: dict[int, Mapping[str, Metric]] = {}
    reaches: dict[int, Mapping[str, Reach]] = {}
    shards: dict[str, ShardRow] = {}
    origins: dict[str, ShardOrigin] = {}
    beginnings: dict[str, Beginning] = {}
    heartbeats: dict[str, int] = {}
    problems: list[str] = []
    doubtful_metrics: set[tuple[int, str]] = set()  # by rank and name: may count points that are not shown


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
    metrics: dict[int, dict[str, Metric]] = {}
    reaches: dict[int, dict[str, Reach]] = {}
    for rank, attempt, prior_hi, stale, *values in connection.execute(
        "SELECT rank, attempt, prior_hi, stale, name, count, nonfinite, last, last_step, last_time_us, min, min_step, "
        "max, max_step, sum, step_lo, step_hi FROM metrics ORDER BY rowid"
    ):
        metric = _metric(tuple(values))
        metrics.setdefault(rank, {})[metric.name] = metric
        reaches.setdefault(rank, {})[metric.name] = Reach(attempt, prior_hi)
        if stale:
            snapshot.doubtful_metrics.add((rank, metric.name))
    snapshot.metrics, snapshot.reaches = {**metrics}, {**reaches}


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
