"""Who and what a run is: run.db's word, with the events of the journal's tail laid over it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from msgspec.structs import replace

from ..journal.format import ShardIdentity
from ..journal.process import STALE_HEARTBEAT_S, is_alive
from ..journal.scan import Event
from ..storage.overview import Beginning, CatalogueSnapshot, is_later

__all__ = ["Identity", "describe", "true_beginnings", "true_status"]


@dataclass(slots=True)
class Identity:
    """Hold all that a run says of itself besides its data. Times are aware, in UTC."""

    id: str
    name: str
    project: str
    group: str | None = None
    notes: str | None = None
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    user_summary: dict[str, Any] = field(default_factory=dict)
    status: str = "running"
    error: str | None = None
    started_us: int | None = None
    ended_us: int | None = None
    forked_from: tuple[str, int] | None = None
    rank: int | None = None  # whose word the above is: the lowest rank's
    shard: str | None = None
    beginnings: dict[str, Beginning] = field(default_factory=dict)
    heartbeats: dict[str, int] = field(default_factory=dict)
    process: tuple[str | None, int | None, int | None] = (None, None, None)

    @property
    def heartbeat_us(self) -> int | None:
        """Return when the writer of the run's host last showed life."""
        return self.heartbeats.get(self.process[0] or "")

    @property
    def started(self) -> datetime:
        """Return when the run began; 1970 when nobody knows."""
        return _datetime(self.started_us or 0)

    @property
    def ended(self) -> datetime | None:
        """Return when the run ended; None while it runs, and when nobody knows."""
        return _datetime(self.ended_us) if self.ended_us is not None else None


def describe(
    snapshot: CatalogueSnapshot, events: Sequence[tuple[Event, ShardIdentity]], project: str, run_id: str
) -> Identity:
    """Lay the events that are not committed over what is."""
    row = snapshot.run
    # Only events change anything, and ten thousand runs that have ended have none: what is theirs is not copied.
    own = dict if events else _itself
    identity = Identity(
        id=row.get("run_id") or run_id,
        name=row.get("name") or "",
        project=row.get("project") or project,
        group=row.get("group_name"),
        notes=row.get("notes"),
        tags=list(snapshot.tags),
        config=own(snapshot.config),
        environment=own(snapshot.environment),
        user_summary=own(snapshot.summary),
        status=row.get("status") or "running",
        error=row.get("error"),
        started_us=row.get("started_us"),
        ended_us=row.get("ended_us"),
        forked_from=_fork(json.loads(row["fork_from"]) if row.get("fork_from") else None),
        rank=row.get("rank"),
        shard=row.get("shard"),
        beginnings=own(snapshot.beginnings),
        heartbeats=snapshot.heartbeats,
        process=(row.get("host"), row.get("pid"), row.get("process_start")),
    )
    for event, writer in events:
        _apply(identity, event, writer)
    identity.name = identity.name or run_id
    return identity


def true_status(identity: Identity) -> str:
    """Return the status, with "crashed" for a run that says it is running and whose process is gone."""
    started_us = identity.started_us or 0
    return _true_status(identity.status, identity.process, started_us, identity.heartbeats)


def true_beginnings(identity: Identity) -> dict[str, Beginning]:
    """Return how each attempt began and ended, with "crashed" for those whose process is gone without a word."""
    return {
        shard: replace(
            begun, status=_true_status(begun.status, begun.process, begun.started_us, identity.heartbeats)
        )
        for shard, begun in identity.beginnings.items()
    }


def _true_status(
    status: str,
    process: tuple[str | None, int | None, int | None],
    started_us: int,
    heartbeats: Mapping[str, int],
) -> str:
    if status != "running":
        return status
    alive = is_alive(*process)
    if alive is None:
        last_us = max(heartbeats.get(process[0] or "", 0), started_us)
        alive = time.time() - last_us / 1e6 < STALE_HEARTBEAT_S
    return "running" if alive else "crashed"


def _apply(identity: Identity, event: Event, writer: ShardIdentity) -> None:
    body = event.body
    if body["type"] == "start":
        _start(identity, event, writer)
    elif body["type"] == "config":
        _change(identity.config, body)
    elif body["type"] == "summary":
        _change(identity.user_summary, body)
    elif body["type"] == "tags":
        _add(identity.tags, body["add"])
    elif body["type"] == "finish":
        _finish(identity, event, writer)


def _start(identity: Identity, event: Event, writer: ShardIdentity) -> None:
    body = event.body
    process = (writer.host, writer.pid, writer.process_start)
    identity.beginnings[writer.shard] = Beginning(
        body.get("attempt"), body.get("at_step"), "running", None, event.time_us, None, process
    )
    if identity.rank is not None and not _speaks_for_the_run(identity, event, writer):
        identity.config = body["config"] | identity.config
        return
    identity.id, identity.project = body["run_id"], body["project"]
    identity.name = body["name"] or identity.name or body["default_name"]
    identity.group = body["group"] or identity.group
    identity.notes = body["notes"] or identity.notes
    identity.status, identity.error, identity.ended_us = "running", None, None
    identity.started_us = identity.started_us or event.time_us
    identity.forked_from = _fork(body.get("fork_from")) or identity.forked_from
    identity.rank, identity.shard, identity.process = writer.rank, writer.shard, process
    identity.config.update(body["config"])
    identity.environment.update(body["process"])
    _add(identity.tags, body["tags"])


def _speaks_for_the_run(identity: Identity, event: Event, writer: ShardIdentity) -> bool:
    """Tell whether a start is that of the lowest rank, and no earlier one that only now comes to be read."""
    current = identity.beginnings.get(identity.shard or "")
    if writer.rank != identity.rank or current is None:
        return writer.rank <= (identity.rank or 0)
    return is_later((event.body.get("attempt"), event.time_us), (current.number, current.started_us))


def _fork(fork: Mapping[str, Any] | None) -> tuple[str, int] | None:
    return (fork["run"], fork["step"]) if fork else None


def _finish(identity: Identity, event: Event, writer: ShardIdentity) -> None:
    status, error, ended_us = event.body["status"], event.body["error"], event.time_us
    begun = identity.beginnings.get(writer.shard)
    if begun is not None:
        identity.beginnings[writer.shard] = replace(begun, status=status, error=error, ended_us=ended_us)
    if writer.shard == identity.shard:
        identity.status, identity.error, identity.ended_us = status, error, ended_us


def _change(values: dict[str, Any], body: dict[str, Any]) -> None:
    values.update(body["set"])
    for key in body["remove"]:
        values.pop(key, None)


def _add(tags: list[str], new: Iterable[str]) -> None:
    tags += [tag for tag in new if tag not in tags]


def _itself(values: dict[str, Any]) -> dict[str, Any]:
    return values


def _datetime(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1e6, tz=timezone.utc)
