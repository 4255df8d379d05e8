"""What is known of a run beside its points: its own word, what people say of it, and what became of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Final

from ..storage.annotations import ANNOTATIONS_FILE, Annotations, read_annotations
from .alerts import ALERTS_QUERY, Alert, alerts_of
from .artifacts import USES_QUERY, ArtifactUse, ArtifactVersion, artifacts_of, uses_of
from .attempts import Attempt
from .catalogue import catalogue_names, read_environment_details
from .reading import Reading

__all__ = ["NOTHING_SAID", "Facts"]

NOTHING_SAID: Final = Annotations()
# Of what SQLite keeps beside a database that somebody has open, or had when he was killed.
OPEN_ENDINGS: Final = ("-wal", "-shm", "-journal")


class Facts(Reading):
    """Give a run what is known of it."""

    _annotated: tuple[tuple[int, ...], Annotations]
    _annotations_unreadable: str | None
    _details: tuple[tuple[Any, ...], dict[str, dict[str, Any]]] | None
    _folder: str
    _given_name: str
    _own_id: str
    _stamp: tuple[Any, ...]
    _status: str

    @property
    def place(self) -> tuple[str, str]:
        """Return the names of the project's directory and of the run's own, which name the run under its root."""
        return self._folder, self._own_id

    @property
    def id(self) -> str:
        """Return the id, unique in its project."""
        return self._identity.id

    @property
    def name(self) -> str:
        """Return what people call the run."""
        return self._identity.name

    @property
    def project(self) -> str:
        """Return the project's name."""
        return self._identity.project

    @property
    def group(self) -> str | None:
        """Return what the run belongs together with."""
        return self._identity.group

    @property
    def notes(self) -> str | None:
        """Return the notes."""
        return self._identity.notes

    @property
    def tags(self) -> list[str]:
        """Return the tags, in the order they were added."""
        return self._identity.tags

    @property
    def config(self) -> dict[str, Any]:
        """Return the hyperparameters, as plain values."""
        return self._identity.config

    @property
    def environment(self) -> dict[str, Any]:
        """Return machine, command and code, as far as known; `packages`, `variables` and `git` are dicts."""
        found = dict(self._identity.environment)
        for name, details in self._environment_details().items():
            found[name] = {**found.get(name, {}), **details}
        return found

    @property
    def given_name(self) -> str:
        """Return the name that the run gave itself, whatever people call it now."""
        return self._given_name

    @property
    def colour(self) -> str | None:
        """Return the name of the colour that was chosen for the run."""
        return self._annotated[1].colour

    @property
    def pinned(self) -> bool:
        """Tell whether the run is to stand at the top of lists."""
        return self._annotated[1].pinned

    @property
    def archived(self) -> bool:
        """Tell whether lists are to leave the run out."""
        return self._annotated[1].archived

    @property
    def machine(self) -> dict[str, Any]:
        """Return of the environment what is at hand without reading anything: what a list of runs shows."""
        return self._identity.environment

    @property
    def status(self) -> str:
        """Return running, finished, failed, interrupted, killed, preempted, crashed or unreadable."""
        return self._status

    @property
    def error(self) -> str | None:
        """Return the traceback of a run that failed, or why the run cannot be read."""
        return self._unreadable or self._journal_unreadable or self._identity.error

    @property
    def problems(self) -> list[str]:
        """Return what is missing or damaged, in words, each once: calls that were dropped, damage that was found."""
        return list(dict.fromkeys([*self.noted_problems, *self._stores.problems()]))

    @property
    def noted_problems(self) -> list[str]:
        """Return of the problems those that are known without looking at the stores, as a list of runs does not."""
        found = [*self._tail.losses(), *self._tail.damage(over=self.status != "running")]
        noted = [self._annotations_unreadable] if self._annotations_unreadable else []
        return list(dict.fromkeys([*self._snapshot.problems, *found, *noted]))

    @property
    def started(self) -> datetime:
        """Return when the run began (UTC)."""
        return self._identity.started

    @property
    def started_us(self) -> int:
        """Return the same in µs since 1970 UTC."""
        return self._identity.started_us or 0

    @property
    def ended(self) -> datetime | None:
        """Return when the run ended (UTC); None while it runs."""
        return self._identity.ended

    @property
    def ended_us(self) -> int | None:
        """Return the same in µs since 1970 UTC."""
        return self._identity.ended_us

    @property
    def rests(self) -> bool:
        """Tell whether the run had ended, as of the last refresh, and nothing was open in its directory."""
        if self.ended_us is None or self._status in ("running", "unreadable"):
            return False
        if "journal" in self._names or [name for name in self._names if name.endswith(OPEN_ENDINGS)]:
            return False
        return catalogue_names(self._names) == ["run.db"]

    @property
    def attempts(self) -> list[Attempt]:
        """Return each time that a process took the run up, in order within each rank; all of rank 0 come first."""
        return [attempt for attempt in self._places().attempts if attempt.rank >= 0]

    @property
    def forked_from(self) -> tuple[str, int] | None:
        """Return the run ("project/id") whose points this one begins with, and up to which step."""
        return self._identity.forked_from

    @property
    def heartbeat(self) -> datetime | None:
        """Return when the writer of the run's machine last showed life (UTC); None when it never has."""
        heartbeat_us = self._identity.heartbeat_us
        return datetime.fromtimestamp(heartbeat_us / 1e6, tz=timezone.utc) if heartbeat_us else None

    @property
    def alerts(self) -> list[Alert]:
        """Return what people were alerted to, in the order of time; also what is not committed yet."""
        return alerts_of(self._rows.query(ALERTS_QUERY), self._tail.events())

    @property
    def artifacts(self) -> list[ArtifactVersion]:
        """Return the versions of artifacts that the run logged, as far as they are stored, by name and number."""
        return artifacts_of(self.path)

    @property
    def used_artifacts(self) -> list[ArtifactUse]:
        """Return which versions of artifacts the run used, in the order of time; also what is not committed yet."""
        return uses_of(self._rows.query(USES_QUERY), self._tail.events())

    def _environment_details(self) -> dict[str, dict[str, Any]]:
        """Return what a list of runs does not read: 300 packages, or a diff of a megabyte."""
        known = self._details
        if known is None or known[0] != self._stamp:
            try:
                known = self._details = self._stamp, read_environment_details(self.path)
            except (sqlite3.DatabaseError, OSError):
                return {}  # `error` says so
        return known[1]

    def _annotate(self) -> None:
        """Lay over the run's own word what people say of it."""
        mark: tuple[int, ...] = ()
        if ANNOTATIONS_FILE in self._names:
            with suppress(OSError):  # taken away a moment ago
                found = os.stat(f"{self._directory}/{ANNOTATIONS_FILE}")
                mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if mark != self._annotated[0]:
            try:
                self._annotated = mark, read_annotations(self.path)
                self._annotations_unreadable = None
            except (OSError, ValueError) as exc:
                self._annotated = mark, NOTHING_SAID
                self._annotations_unreadable = f"{ANNOTATIONS_FILE} cannot be read ({exc})"
        self._given_name = self._identity.name
        if mark:
            said = self._annotated[1]
            self._identity.name = said.name or self._identity.name
            self._identity.notes = self._identity.notes if said.notes is None else said.notes
            self._identity.tags = said.tags(self._identity.tags)
