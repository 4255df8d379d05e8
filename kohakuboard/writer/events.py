"""Write the events of a shard into the catalogue: how a run began and ended, its config, tags, alerts and artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..journal.format import ShardIdentity
from ..journal.losses import loss_text
from ..journal.scan import Event
from ..storage.artifacts import StoredVersion
from ..storage.catalogue import Catalogue
from ..storage.overview import is_later
from .source import Source

__all__ = ["EventStore"]


class EventStore:
    """Store events in a catalogue, within the transaction of a flush.

    `alert_delivery` is what becomes of an alert: None where nobody sends it.
    """

    def __init__(self, catalogue: Catalogue, alert_delivery: str | None) -> None:
        self._catalogue = catalogue
        self._alert_delivery = alert_delivery

    def store(self, event: Event, source: Source, versions: Mapping[int, StoredVersion]) -> None:
        """Store one; `versions` are those of artifacts whose files are in place, by the identity of their event."""
        body = event.body
        if body["type"] == "start":
            self._start(event, source)
        elif body["type"] in ("config", "summary"):
            self._catalogue.set_values(body["type"], body["set"], body["remove"])
        elif body["type"] == "tags":
            self._catalogue.add_tags(body["add"])
        elif body["type"] == "alert":
            self._alert(event, source)
        elif body["type"] == "artifact" and id(event) in versions:
            self._catalogue.artifacts.add(_place(event, source), versions[id(event)])
        elif body["type"] == "artifact_use":
            told = {key: body[key] for key in ("name", "kind", "version", "digest", "run", "asked")}
            self._catalogue.artifacts.add_use(_place(event, source), **told)
        elif body["type"] == "dropped":
            self._catalogue.add_problems(event.time_us, [loss_text(body)])
        elif body["type"] == "under_way" and source.cursor.identity is not None:
            self._catalogue.set_under_way(source.cursor.identity.shard, body["what"])
        elif body["type"] == "finish":
            self._finish(event, source)

    def _alert(self, event: Event, source: Source) -> None:
        body = event.body
        self._catalogue.alerts.add(
            **_place(event, source),
            level=body["level"],
            title=body["title"],
            text=body["text"],
            delivery=self._alert_delivery,
        )

    def _start(self, event: Event, source: Source) -> None:
        body, identity, known = event.body, source.cursor.identity, self._catalogue.run()
        assert identity is not None
        process = {"host": identity.host, "pid": identity.pid, "process_start": identity.process_start}
        ending = {"status": "running", "error": None, "ended_us": None}
        self._catalogue.begin_attempt(
            shard=identity.shard,
            rank=identity.rank,
            number=body.get("attempt"),
            at_step=body.get("at_step"),
            started_us=event.time_us,
            **ending,
            **process,
        )
        # What is said of the run as a whole is said by its first rank.
        first = self._speaks_for_the_run(event, identity, known)
        self._catalogue.set_values("config", body["config"], keep=not first)
        if not first:
            return
        self._catalogue.update_run(
            run_id=body["run_id"],
            name=body["name"] or known["name"] or body["default_name"],
            project=body["project"],
            group_name=body["group"] or known["group_name"],
            notes=body["notes"] or known["notes"],
            started_us=known["started_us"] or event.time_us,
            rank=identity.rank,
            shard=identity.shard,
            fork_from=json.dumps(fork) if (fork := body.get("fork_from")) else known["fork_from"],
            **ending,
            **process,
        )
        self._catalogue.set_values("environment", body["process"])
        self._catalogue.add_tags(body["tags"])

    def _speaks_for_the_run(self, event: Event, identity: ShardIdentity, known: Mapping[str, Any]) -> bool:
        """Tell whether a start is that of the lowest rank, and no earlier one that another host left."""
        if known["rank"] is None or identity.rank != known["rank"]:
            return known["rank"] is None or identity.rank < known["rank"]
        current = next((one for one in self._catalogue.attempts() if one["shard"] == known["shard"]), None)
        return current is None or is_later(
            (event.body.get("attempt"), event.time_us), (current["number"], current["started_us"])
        )

    def _finish(self, event: Event, source: Source) -> None:
        identity = source.cursor.identity
        assert identity is not None
        ending = {"status": event.body["status"], "error": event.body["error"], "ended_us": event.time_us}
        self._catalogue.end_attempt(identity.shard, **ending)
        self._catalogue.set_under_way(identity.shard, event.body.get("under_way"))


def _place(event: Event, source: Source) -> dict[str, int]:
    """Return where an event belongs that says so itself, since it may have been held before it was written."""
    step, time_us = event.body.get("step"), event.body.get("time_us")
    return {
        "shard": source.number,
        "seq": event.seq,
        "step": event.step if step is None else step,
        "time_us": event.time_us if time_us is None else time_us,
    }
