"""Read run.db, and those of other hosts beside it: everything row-shaped that is committed, as one snapshot."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..storage.database import connect
from ..storage.digest import read_digest
from ..storage.overview import CatalogueSnapshot, take_snapshot

__all__ = [
    "catalogue_names",
    "catalogue_paths",
    "names_in",
    "read_catalogues",
    "read_environment_details",
    "stamp",
]


def names_in(run: str | Path) -> list[str]:
    """Return the names of what is in a run's directory; none where it cannot be read."""
    try:
        return os.listdir(run)
    except OSError:
        return []


def catalogue_names(names: Iterable[str]) -> list[str]:
    """Return which of the names in a run's directory are those of its databases, run.db first."""
    found = [name for name in names if name[-3:] == ".db" and name[:4] == "run."]
    return found if len(found) == 1 else sorted(found, key=lambda name: (name != "run.db", name))


def catalogue_paths(run: Path) -> list[Path]:
    """Return the databases of a run, run.db first."""
    return [run / name for name in catalogue_names(names_in(run))]


def stamp(run: str, names: Sequence[str]) -> tuple[Any, ...]:
    """Return what changes whenever a database of a run or its write-ahead log does.

    Args:
        run: The run's directory.
        names: What is in it.
    """
    return tuple(
        [
            (path := f"{run}/{name}", _stat(path), _stat(f"{path}-wal") if f"{name}-wal" in names else None)
            for name in catalogue_names(names)
        ]
    )


def _stat(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def read_catalogues(run: str, names: Sequence[str]) -> CatalogueSnapshot:
    """Read what all hosts have committed; empty when that is nothing yet. Raises sqlite3.DatabaseError.

    Args:
        run: The run's directory.
        names: What was in it a moment ago.
    """
    paths = [f"{run}/{name}" for name in catalogue_names(names)]
    found = [read for path in paths if (read := _read(path, names)) is not None]
    # What is said of the run as a whole is said by its first rank.
    found.sort(key=lambda read: _rank(read.run))
    for other in found[1:]:
        _add(found[0], other)
    return found[0] if found else CatalogueSnapshot()


def read_environment_details(run: Path) -> dict[str, Any]:
    """Return what of the environment is too large for each snapshot, by the host that speaks for the run.

    Raises sqlite3.DatabaseError.
    """
    found: list[tuple[float, dict[str, Any]]] = []
    for path in catalogue_paths(run):
        with connect(path) as connection:
            known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if "environment_details" in known:
                rows = connection.execute("SELECT key, value FROM environment_details").fetchall()
                rank = connection.execute("SELECT rank FROM run").fetchone()
                details = {key: json.loads(text) for key, text in rows}
                found.append((_rank({"rank": rank[0] if rank else None}), details))
    return min(found, key=lambda one: one[0])[1] if found else {}


def _read(path: str, names: Sequence[str]) -> CatalogueSnapshot | None:
    """Read one database in one transaction; None while its writer has only begun to make it."""
    digest = read_digest(path, names)
    if digest is not None:
        return digest
    with connect(Path(path)) as connection:
        connection.execute("BEGIN")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'problems'").fetchone():
            return None
        return take_snapshot(connection)


def _rank(run: dict[str, Any]) -> float:
    rank = run.get("rank")
    return math.inf if rank is None else rank


def _add(whole: CatalogueSnapshot, other: CatalogueSnapshot) -> None:
    """Take in what another host has."""
    whole.config = other.config | whole.config
    whole.summary = other.summary | whole.summary
    whole.tags += [tag for tag in other.tags if tag not in whole.tags]
    whole.doubtful_metrics |= other.doubtful_metrics | _gone_back_behind(whole, other)
    whole.doubtful_metrics |= _gone_back_behind(other, whole)
    for rank, metrics in other.metrics.items():
        known, reaches = dict(whole.metrics.get(rank, {})), dict(whole.reaches.get(rank, {}))
        whole.metrics[rank], whole.reaches[rank] = known, reaches
        whole.doubtful_metrics |= {(rank, name) for name in known.keys() & metrics.keys()}
        for name, metric in metrics.items():
            one = known.get(name)
            if one is not None and one.last_time_us > metric.last_time_us:
                known[name] = metric.merged(one)
            else:
                known[name] = metric if one is None else one.merged(metric)
                reaches[name] = other.reaches[rank][name]
    for name, shard in other.shards.items():
        whole.shards[name] = max(shard, whole.shards.get(name, shard))
    whole.origins = other.origins | whole.origins
    whole.beginnings = other.beginnings | whole.beginnings
    for host, time_us in other.heartbeats.items():
        whole.heartbeats[host] = max(time_us, whole.heartbeats.get(host, 0))
    whole.problems += other.problems


def _gone_back_behind(host: CatalogueSnapshot, other: CatalogueSnapshot) -> set[tuple[int, str]]:
    """Return rank and name of what one host has counted beyond the checkpoint of an attempt that another one stores."""
    begun = [(other.origins[shard].rank, one.at_step) for shard, one in other.beginnings.items()]
    return {
        (rank, name)
        for rank, at_step in begun
        if at_step is not None
        for name, metric in host.metrics.get(rank, {}).items()
        if metric.step_hi > at_step
    }
