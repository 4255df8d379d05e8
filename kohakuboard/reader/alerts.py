"""What a run alerted people to: what run.db has, and behind it what only the journal has yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

from ..journal.format import ShardIdentity
from ..journal.scan import Event
from ..storage.shards import shard_number

__all__ = ["ALERTS_QUERY", "Alert", "alerts_of"]

ALERTS_QUERY: Final = "SELECT shard, seq, time_us, step, level, title, text FROM alerts ORDER BY id"


class Alert(NamedTuple):
    """Hold an alert; `level` is info, warning or error, `time` is in UTC."""

    time: datetime
    step: int
    level: str
    title: str
    text: str


def alerts_of(rows: Iterable[tuple[Any, ...]], events: Iterable[tuple[Event, ShardIdentity]]) -> list[Alert]:
    """Return the alerts in the order of their time.

    Args:
        rows: What ALERTS_QUERY found in each database.
        events: Of the journal's tail. One of which there is a row was stored since the tail was read.
    """
    found = {(shard, seq): tuple(values) for shard, seq, *values in rows}
    for event, writer in events:
        body = event.body
        if body["type"] == "alert":
            time_us, step = body.get("time_us", event.time_us), body.get("step", event.step)
            values = (time_us, step, body["level"], body["title"], body["text"])
            found.setdefault((shard_number(writer.shard), event.seq), values)
    ordered = sorted(found.values(), key=lambda values: values[0])
    return [Alert(_datetime(time_us), *values) for time_us, *values in ordered]


def _datetime(time_us: int) -> datetime:
    # Never an error for a time that no calendar has.
    return datetime.fromtimestamp(min(max(time_us, 0), 253_402_300_799_000_000) / 1e6, tz=timezone.utc)
