"""The alerts of a run in run.db, and how far the sending of each has come.

delivery    NULL      no webhook was configured when it was stored
            waiting   to be sent; still so after a crash, when whoever stores the run next sends it
            sent      the webhook's server took it
            failed    it was given up
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["ALERT_TABLES", "FAILED", "SENT", "WAITING", "AlertTable", "StoredAlert"]

ALERT_TABLES: Final[dict[str, tuple[str | tuple[str, ...] | None, dict[str, type]]]] = {
    "alerts": (
        "id",
        {
            "id": int,
            "shard": int,
            "seq": int,
            "step": int,
            "time_us": int,
            "level": str,
            "title": str,
            "text": str,
            "delivery": str,
        },
    ),
}
WAITING: Final = "waiting"
SENT: Final = "sent"
FAILED: Final = "failed"


class StoredAlert(NamedTuple):
    """Hold an alert that is to be sent; `time_us` in µs since 1970 UTC."""

    id: int
    step: int
    time_us: int
    level: str
    title: str
    text: str


class AlertTable:
    """Write the alerts of one database. The caller holds the transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self) -> None:
        """Make what finds those that wait among any number of others."""
        self._db.execute(
            f"CREATE INDEX IF NOT EXISTS waiting_alerts ON alerts (id) WHERE delivery = '{WAITING}'"
        )

    def add(self, **values: Any) -> None:
        """Store an alert: the columns but for the id."""
        self._db.table("alerts").insert(values)

    def waiting(self, limit: int) -> list[StoredAlert]:
        """Return those that are to be sent, the oldest first."""
        query = (
            f"SELECT id, step, time_us, level, title, text FROM alerts WHERE delivery = '{WAITING}' "
            "ORDER BY id LIMIT ?"
        )
        return [StoredAlert(*row) for row in self._db.execute(query, [limit])]

    def settle(self, ids: Iterable[int], delivery: str) -> None:
        """Note what became of alerts."""
        for number in ids:
            self._db.execute("UPDATE alerts SET delivery = ? WHERE id = ?", [delivery, number])

    def give_up_beyond(self, number: int) -> None:
        """Give up all that wait beyond an id."""
        query = f"UPDATE alerts SET delivery = '{FAILED}' WHERE delivery = '{WAITING}' AND id > ?"
        self._db.execute(query, [number])

    def complain(self, text: str) -> None:
        """Note among the run's problems that alerts could not be sent, once however often that is."""
        beginning = text.partition(":")[0]
        query = "SELECT 1 FROM problems WHERE substr(text, 1, ?) = ?"
        if not self._db.execute(query, [len(beginning), beginning]).fetchone():
            self._db.table("problems").insert({"time_us": time.time_ns() // 1000, "text": text})
