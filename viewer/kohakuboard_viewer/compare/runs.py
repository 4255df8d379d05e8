"""Gather the runs that are compared, and what of them is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kohakuboard.errors import KohakuBoardError, RunNotFoundError
from kohakuboard.reader import Metric, Run, leaves

from ..answers import digest_of
from ..colours import Colour, colour_of
from ..kept import Kept
from ..rows import Placed
from ..shelf import Shelf
from .ask import RunsAsk

__all__ = ["Compared", "Gathered", "gather", "version_of"]

_LIMIT_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Compared(Placed):
    """Hold what is known of one of the runs.

    Attributes:
        address: PROJECT/ID, as the URL names it.
        config: The leaves of the config, by paths such as "optimizer.lr".
        own: What was set in the summary beside what the metrics came to, in the same way.
    """

    address: str
    folder: str
    id: str
    name: str
    project: str
    group: str | None
    status: str
    started: datetime
    duration_s: float
    last_step: int | None
    config: Mapping[str, Any]
    own: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    version: str
    colour: Colour


# The metrics are the reader's own, which it keeps as long as the run is open.
_ENDED: Final = Kept[Compared](
    _LIMIT_BYTES, lambda run: 2000 + 200 * len(run.config) + 400 * len(run.metrics)
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Hold the runs in the order they were asked for, and in words which of them cannot be shown."""

    runs: Sequence[Compared]
    missing: Sequence[str]

    @property
    def version(self) -> str:
        """Return a word that is another whenever one of the runs has anything new."""
        return digest_of(*(f"{run.address} {run.version}" for run in self.runs))

    @property
    def live(self) -> bool:
        """Tell whether one of the runs goes on."""
        return any(run.live for run in self.runs)


def gather(shelf: Shelf, addresses: Sequence[str]) -> Gathered:
    """Look the runs up. One that is not there is said to be; raises RunNotFoundError when none is."""
    found: list[Compared] = []
    missing: list[str] = []
    for address in addresses:
        project, _, run_id = address.partition("/")
        try:
            with shelf.run(project, run_id) as run:
                found.append(_looked_up(address, run))
        except KohakuBoardError as exc:
            missing.append(str(exc))
    if not found:
        raise RunNotFoundError(shelf.root, addresses[0])
    return Gathered(found, missing)


def version_of(shelf: Shelf, ask: RunsAsk) -> dict[str, Any]:
    """Return what a page asks again and again: whether anything is new, and whether more is to come."""
    states: list[str] = []
    live = False
    for address in ask.runs:
        project, _, run_id = address.partition("/")
        try:
            with shelf.run(project, run_id) as run:
                states.append(f"{address} {run.seen_version}")
                live |= run.status == "running"
        except KohakuBoardError:
            continue  # it was moved away since; the others go on
    return {"version": digest_of(*states), "status": "", "live": live}


def _looked_up(address: str, run: Run) -> Compared:
    """Return what is known of a run; of one that has ended what was read when it was last another."""
    if run.status == "running":
        return _compared(address, run)
    return _ENDED.get((run.path, address), run.seen_version, lambda: _compared(address, run))


def _compared(address: str, run: Run) -> Compared:
    return Compared(
        address=address,
        folder=run.path.parent.name,
        id=run.path.name,
        name=run.name,
        project=run.project,
        group=run.group,
        status=run.status,
        started=run.started,
        duration_s=run.duration_s,
        last_step=run.last_step,
        config=dict(leaves(run.config)),
        own={name: value for name, value in leaves(run.user_summary) if name not in run.metrics},
        metrics=run.metrics,
        version=run.seen_version,
        colour=colour_of(run.path.name, run.colour),
    )
