"""run.db, the row-shaped half of a run, as its writer sees it: one transaction for each flush.

    run          one row: identity, status, process, heartbeat
    config, summary, environment   key, JSON value
    environment_details   key, JSON value: what of the environment is too large for a list of runs to read
    tags         tag
    metrics      one row for each metric of each rank, and of each machine (below 0): running count, last, min, max,
                 sum; NULL stands for NaN
    shards       one row for each process that logged: its number in Lance, and the last seq that is committed here
    attempts     one row for each time that a process took the run up: where, from which step, and how it ended;
                 `under_way` is what it had not brought to its end, also when it then ended without a word
    writers      one row for each host that stores the run: when its writer last showed life
    alerts       one row for each alert, see alerts
    artifacts …  versions of artifacts and their use, see artifacts
    problems     damage that the writer met, in words

Rich values have tables of their own beside these, see rich/.

Times are µs since 1970 UTC. `metrics` can be rebuilt from Lance; nothing else here can.

A database has one host that writes to it, see claim.py.

A row of `metrics` summarises the points that the default view shows. When an attempt logs a metric again at steps where
an earlier one has points, or begins before them, those points are superseded and the row no longer fits: it is `stale`
until it is made anew. `attempt` is the shard number of the attempt that the row was last added to by, `prior_hi` the
highest step that others had reached.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict
from sqlite_utils import Database

from ..journal.format import ShardIdentity
from ..journal.scan import Column
from . import rich
from .alerts import ALERT_TABLES, AlertTable
from .artifacts import ARTIFACT_TABLES, ArtifactTable
from .database import open_or_set_aside
from .digest import drop_digest, write_digest
from .shards import shard_number
from .summary import Metric, summarise
from .sync import mark_project

__all__ = ["Catalogue"]

FORMAT: Final = 2

_TABLES: Final[dict[str, tuple[str | tuple[str, ...] | None, dict[str, type]]]] = {
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
            "rank": int,
            "shard": str,
            "fork_from": str,
        },
    ),
    "config": ("key", {"key": str, "value": str}),
    "summary": ("key", {"key": str, "value": str}),
    "environment": ("key", {"key": str, "value": str}),
    "environment_details": ("key", {"key": str, "value": str}),
    "tags": ("tag", {"tag": str}),
    "metrics": (
        ("rank", "name"),
        {
            "rank": int,
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
            "step_lo": int,
            "step_hi": int,
            "attempt": int,
            "prior_hi": int,
            "stale": int,
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
            "parent": str,
            "committed_seq": int,
        },
    ),
    "attempts": (
        "shard",
        {
            "shard": str,
            "rank": int,
            "number": int,
            "at_step": int,
            "status": str,
            "error": str,
            "under_way": str,
            "started_us": int,
            "ended_us": int,
            "host": str,
            "pid": int,
            "process_start": int,
        },
    ),
    "writers": ("host", {"host": str, "heartbeat_us": int}),
    **ALERT_TABLES,
    **ARTIFACT_TABLES,
    "problems": (None, {"time_us": int, "text": str}),
}

# An update keeps the row's place, and so the order in which metrics appeared.
_REPLACE_METRIC: Final = """
UPDATE metrics SET
    count = :count, nonfinite = :nonfinite, last = :last, last_step = :last_step, last_time_us = :last_time_us,
    min = :min, min_step = :min_step, max = :max, max_step = :max_step, sum = :sum,
    step_lo = :step_lo, step_hi = :step_hi, prior_hi = :prior_hi, stale = 0
WHERE rank = :rank AND name = :name
"""

# On the right of "=" are the values from before the update.
_MERGE_METRIC: Final = """
INSERT INTO metrics VALUES (:rank, :name, :count, :nonfinite, :last, :last_step, :last_time_us,
                            :min, :min_step, :max, :max_step, :sum, :step_lo, :step_hi, :attempt, NULL, :late)
ON CONFLICT (rank, name) DO UPDATE SET
    count = count + excluded.count,
    nonfinite = nonfinite + excluded.nonfinite,
    last = excluded.last,
    last_step = excluded.last_step,
    last_time_us = excluded.last_time_us,
    min_step = iif(min IS NULL OR excluded.min < min, excluded.min_step, min_step),
    min = iif(min IS NULL OR excluded.min < min, excluded.min, min),
    max_step = iif(max IS NULL OR excluded.max > max, excluded.max_step, max_step),
    max = iif(max IS NULL OR excluded.max > max, excluded.max, max),
    sum = sum + excluded.sum,
    step_lo = min(step_lo, excluded.step_lo),
    step_hi = max(step_hi, excluded.step_hi),
    stale = iif(:late OR excluded.step_lo <= iif(attempt IS NOT excluded.attempt, step_hi, prior_hi), 1, stale),
    prior_hi = iif(attempt IS NOT excluded.attempt, step_hi, prior_hi),
    attempt = excluded.attempt
"""


class Catalogue:
    """Write a run's run.db. One process at a time; use `transaction` around what belongs together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        drop_digest(path)
        mark_project(path.parent)
        # A commit is on disk before the journal that it came from is let go.
        self._connection, problem = open_or_set_aside(path, log=True)
        self.problems = [problem] if problem else []
        self._db = Database(self._connection)
        self.alerts = AlertTable(self._db)
        self.artifacts = ArtifactTable(self._db, path)
        with self._db.atomic():
            self._create()

    def _create(self) -> None:
        for name, (key, columns) in _TABLES.items():
            self._db.table(name).create(columns, pk=key, if_not_exists=True)
        self._db.table("shards").create_index(["shard"], unique=True, if_not_exists=True)
        rich.create(self._db)
        self.alerts.create()
        self.artifacts.create()
        self._db.table("run").insert({"id": 1, "format": FORMAT}, ignore=True)

    def transaction(self) -> AbstractContextManager[Any]:
        """Commit all that is written inside at once, synced."""
        return self._db.atomic()

    def shard(self, identity: ShardIdentity) -> tuple[int, int]:
        """Return a shard's number and its last committed seq (-1 at first), numbering it when it is new."""
        number, started_us = shard_number(identity.shard), identity.started_ns // 1000
        self._db.execute(
            "INSERT OR IGNORE INTO shards (number, shard, rank, pid, host, started_us, parent, committed_seq) "
            "VALUES (?,?,?,?,?,?,?,-1)",
            [number, identity.shard, identity.rank, identity.pid, identity.host, started_us, identity.parent],
        )
        self._connection.commit()
        query = "SELECT committed_seq FROM shards WHERE number = ?"
        return number, self._db.execute(query, [number]).fetchone()[0]

    @property
    def database(self) -> Database:
        """Return the database, for the rows of rich values."""
        return self._db

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

    def begin_attempt(self, **values: Any) -> None:
        """Note that a process took the run up; points beyond `at_step` that its rank logged before are superseded."""
        known = self._db.execute("SELECT 1 FROM attempts WHERE rank = ? LIMIT 1", [values["rank"]]).fetchone()
        if known and values["at_step"] is not None:
            self._db.execute(
                "UPDATE metrics SET stale = 1 WHERE rank = ? AND step_hi > ?",
                [values["rank"], values["at_step"]],
            )
        self._db.table("attempts").insert(values, pk="shard", replace=True)

    def end_attempt(self, shard: str, **values: Any) -> None:
        """Note how the attempt that a shard began ended, and with it the run if that is the attempt that counts."""
        if self._db.execute("SELECT 1 FROM attempts WHERE shard = ?", [shard]).fetchone():
            self._db.table("attempts").update(shard, values)
        if self.run()["shard"] == shard:
            self.update_run(**values)

    def set_under_way(self, shard: str, what: str | None) -> None:
        """Note what the process of an attempt is to bring to its end; nothing where the shard began no attempt."""
        self._db.execute("UPDATE attempts SET under_way = ? WHERE shard = ?", [what, shard])

    def attempts(self) -> list[dict[str, Any]]:
        """Return the rows of all attempts."""
        return list(self._db.query("SELECT * FROM attempts"))

    def beat(self, host: str) -> None:
        """Note that this host's writer lives."""
        now_us = time.time_ns() // 1000
        self._db.table("writers").upsert({"host": host, "heartbeat_us": now_us}, pk="host")
        self.update_run(heartbeat_us=now_us)

    def attempt_of(self, identity: ShardIdentity) -> int:
        """Return the number of the shard that began the attempt that a shard belongs to, itself if none did."""
        shard: str | None = identity.shard
        while shard is not None:
            if self._db.execute("SELECT 1 FROM attempts WHERE shard = ?", [shard]).fetchone():
                return shard_number(self._first_of_attempt(shard))
            parent = self._db.execute("SELECT parent FROM shards WHERE shard = ?", [shard]).fetchone()
            shard = parent[0] if parent is not None else None
        return self._latest_attempt(identity.rank, shard_number(identity.shard))

    def _latest_attempt(self, rank: int, default: int) -> int:
        # As the reader orders them: by time where one has no number.
        query = (
            "SELECT shard FROM attempts WHERE rank = ?1 ORDER BY "
            "iif(EXISTS (SELECT 1 FROM attempts WHERE rank = ?1 AND number IS NULL), 0, number) DESC, "
            "started_us DESC LIMIT 1"
        )
        latest = self._db.execute(query, [rank]).fetchone()
        return shard_number(self._first_of_attempt(latest[0])) if latest is not None else default

    def _first_of_attempt(self, shard: str) -> str:
        """Return the shard that an attempt began with; a process may take it up again, with another one."""
        query = (
            "SELECT first.shard FROM attempts AS first JOIN attempts AS this USING (rank, number) "
            "WHERE this.shard = ? ORDER BY first.started_us LIMIT 1"
        )
        row = self._db.execute(query, [shard]).fetchone()
        return row[0] if row is not None else shard

    def set_values(
        self, table: str, values: Mapping[str, Any], remove: Iterable[str] = (), *, keep: bool = False
    ) -> None:
        """Set and remove keys of config, summary, environment or its details; with `keep`, those there already stay."""
        rows = ({"key": key, "value": json.dumps(value, ensure_ascii=False)} for key, value in values.items())
        self._db.table(table).insert_all(rows, pk="key", replace=not keep, ignore=keep)
        for key in remove:
            self._db.execute(f"DELETE FROM {table} WHERE key = ?", [key])

    def add_tags(self, tags: Iterable[str]) -> None:
        """Add tags; those there already stay."""
        self._db.table("tags").insert_all(({"tag": tag} for tag in tags), pk="tag", ignore=True)

    def merge_metrics(self, columns: Mapping[str, Column], rank: int, attempt: int) -> None:
        """Take points that are new into the running summaries of their rank."""
        # asdict, and not a parameter each: SQLite stores NaN as NULL by itself.
        # What an attempt logged that is not the last any more may be superseded, whatever the steps say.
        key = {"rank": rank, "attempt": attempt, "late": attempt != self._latest_attempt(rank, attempt)}
        rows = [asdict(summarise(name, column)) | key for name, column in columns.items()]
        self._connection.executemany(_MERGE_METRIC, rows)
        self._note_last_step()

    @property
    def is_new(self) -> bool:
        """Tell whether nothing was ever stored here."""
        return self._db.execute("SELECT 1 FROM shards LIMIT 1").fetchone() is None

    def restore_metrics(self, summaries: Iterable[Metric], rank: int) -> None:
        """Take in summaries that were made of the points themselves; of which attempt they are is not known."""
        key = {"rank": rank, "attempt": None, "late": False}
        self._connection.executemany(_MERGE_METRIC, (asdict(metric) | key for metric in summaries))
        self._note_last_step()

    def stale_metrics(self) -> list[tuple[int, str, int]]:
        """Return rank, name and last attempt of the summaries that no longer fit the points that are shown."""
        query = "SELECT rank, name, attempt FROM metrics WHERE stale = 1 ORDER BY rowid"
        return list(self._db.execute(query))

    def replace_metric(self, rank: int, name: str, column: Column, prior_hi: int | None) -> None:
        """Summarise a metric anew from all points that are shown; none at all leaves no summary.

        `prior_hi` is the highest step among those that are not of the last attempt.
        """
        if len(column.seqs):
            row = asdict(summarise(name, column)) | {"rank": rank, "prior_hi": prior_hi}
            self._connection.execute(_REPLACE_METRIC, row)
        else:
            self._db.execute("DELETE FROM metrics WHERE rank = ? AND name = ?", [rank, name])
        self._note_last_step()

    def keep_metric(self, rank: int, name: str) -> None:
        """Leave a summary as it is, though it does not fit."""
        self._db.execute("UPDATE metrics SET stale = 0 WHERE rank = ? AND name = ?", [rank, name])

    def fork_to_adopt(self, shard: str) -> dict[str, Any] | None:
        """Return what the run was forked from as long as the shard of its parent's points is not here."""
        fork: str | None = self.run()["fork_from"]
        if fork is None or self._db.execute("SELECT 1 FROM shards WHERE shard = ?", [shard]).fetchone():
            return None
        found: dict[str, Any] = json.loads(fork)
        return found

    def adopt(self, shard: str, columns: Mapping[str, Column], time_us: int) -> None:
        """Take the points of another run for an attempt of rank 0 that came before all of this one's."""
        started_us = min([time_us, *(attempt["started_us"] - 1 for attempt in self.attempts())])
        highest = max((int(column.seqs[-1]) for column in columns.values()), default=-1)
        row = {"number": shard_number(shard), "shard": shard, "rank": 0, "started_us": started_us}
        self._db.table("shards").insert({**row, "committed_seq": highest})
        attempt = {"shard": shard, "rank": 0, "number": 0, "status": "inherited", "started_us": started_us}
        self._db.table("attempts").insert(attempt)
        known = {name for (name,) in self._db.execute("SELECT name FROM metrics WHERE rank = 0")}
        new = {name: column for name, column in columns.items() if name not in known}
        self.merge_metrics(new, 0, shard_number(shard))
        self._connection.executemany(
            "UPDATE metrics SET stale = 1 WHERE rank = 0 AND name = ?",
            [[name] for name in known & columns.keys()],
        )

    def _note_last_step(self) -> None:
        self._db.execute(
            "UPDATE run SET last_step = (SELECT max(step_hi) FROM metrics WHERE rank = "
            "(SELECT min(rank) FROM metrics WHERE rank >= 0))"
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
                write_digest(self.path, self._connection)
            except sqlite3.OperationalError:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._connection.close()
