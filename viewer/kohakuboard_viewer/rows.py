"""What a list of runs knows of each: read once when a run changed, and never changed itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from kohakuboard.reader import Metric, Run, leaves

from .colours import Colour, colour_of

__all__ = ["Placed", "Row", "row_of"]


class Placed:
    """Say where a run's pages are, and whether more is to come, from its directory's names and its status."""

    __slots__ = ()

    folder: str
    id: str
    status: str

    @property
    def live(self) -> bool:
        """Tell whether more is to come."""
        return self.status == "running"

    @property
    def unreadable(self) -> bool:
        """Tell whether nothing is known of the run but what lies beside its database."""
        return self.status == "unreadable"

    @property
    def url(self) -> str:
        """Return the path of the run's page."""
        return f"/run/{quote(self.folder, safe='')}/{quote(self.id, safe='')}"

    @property
    def project_url(self) -> str:
        """Return the path of the page of the run's project."""
        return f"/p/{quote(self.folder, safe='')}"


class Row(msgspec.Struct, Placed, frozen=True, eq=False, gc=False):
    """Hold a run as it was at one moment.

    Times are in s since 1970 UTC, `config` and `summary` by the path of each leaf.
    """

    folder: str
    id: str
    name: str
    given_name: str
    project: str
    group: str | None
    notes: str | None
    tags: Sequence[str]
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    system: Mapping[str, Metric]
    environment: Mapping[str, Any]
    status: str
    error: str | None
    problems: Sequence[str]
    started: float
    ended: float | None
    duration_s: float
    last_step: int | None
    chosen_colour: str | None
    pinned: bool
    archived: bool
    version: str
    words: str = ""
    mark: int = 0  # of what was read: two of them are hardly ever the same

    @property
    def key(self) -> str:
        """Return what names the run in forms and addresses."""
        return f"{self.folder}/{self.id}"

    @property
    def colour(self) -> Colour:
        """Return how the run is drawn."""
        return colour_of(self.id, self.chosen_colour)

    @property
    def last_seen(self) -> float:
        """Return when the run was last heard of."""
        return self.ended if self.ended is not None else self.started + self.duration_s


def row_of(run: Run) -> Row:
    """Return what is known of a run that was just refreshed."""
    folder, own_id = run.place
    texts = (run.name, run.given_name, own_id, run.project, run.status, run.group, run.notes)
    return Row(
        folder=folder,
        id=own_id,
        name=run.name,
        given_name=run.given_name,
        project=run.project,
        group=run.group,
        notes=run.notes,
        tags=tuple(run.tags),
        config=_flat(run.config),
        summary=_flat(run.user_summary),
        metrics=run.summaries,
        system=run.system_summaries(),
        environment=run.machine,
        status=run.status,
        error=run.error,
        problems=run.noted_problems,
        started=run.started_us / 1e6,
        ended=None if run.ended_us is None else run.ended_us / 1e6,
        duration_s=run.duration_s,
        last_step=run.last_step,
        chosen_colour=run.colour,
        pinned=run.pinned,
        archived=run.archived,
        version=run.seen_version,
        words="\n".join(text for text in (*texts, *run.tags) if text).lower(),
        mark=hash((run.place, run.seen_version)),
    )


def _flat(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the leaves by their paths; mostly these are the values themselves."""
    if dict not in map(type, values.values()):
        return values
    return dict(leaves(values))
