"""Find the curves that a chart asks for: of runs, metrics and attempts, with a name and a look for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from starlette.exceptions import HTTPException

from kohakuboard.errors import DamagedSeriesError, KohakuBoardError, MetricNotFoundError, RunNotFoundError
from kohakuboard.reader import Run

from . import present
from .answers import digest_of, etag_of
from .axes import PLAIN_AXES, Axis, axis_of_metric, plain_axis
from .colours import DASHES, HUES, Colour, colour_of
from .curves import Curves, Line, curve_state, summary_of
from .groups import Group, grouped
from .kept import Kept
from .reduce import Curve
from .shelf import Shelf
from .wanted import Wanted, refuse_too_many

__all__ = ["Drawn", "Lines", "find_lines"]

_NOTHING: Final = "–"
# To look at 100 runs that have ended takes longer than all else of a zoom.
_MANY_RUNS: Final = 8
_FRESH_S: Final = 1.0
_READERS: Final = 4
# How long a curve may take on average that is read alone, and for how many that may be exceeded by as much again.
_QUICK_S: Final = 0.003
_SLOW_ONES: Final = 5


class _Found(NamedTuple):
    """Hold a line of a run, which is found again under `address`, and what it was when it was found."""

    address: tuple[str, str]
    name: str
    group: str
    look: Colour
    line: Line
    state: str


class Drawn(NamedTuple):
    """Hold a curve and what a chart says of it."""

    curve: Curve | Group
    words: dict[str, Any]


class Drawing(NamedTuple):
    """Hold curves, and the runs, as PROJECT/ID, of which some cannot be read."""

    curves: Sequence[Drawn]
    damaged: Sequence[str]


@dataclass(frozen=True, slots=True)
class Lines:
    """Hold what was found; `missing` are the runs, as PROJECT/ID, that lack some of it.

    `turns` is how many attempts those that are running have: another one may take back what was drawn.
    """

    wanted: Wanted
    axis: Axis
    found: Sequence[_Found]
    missing: Sequence[str]
    live: bool
    turns: int
    fresh_s: float

    def etag(self, query: str) -> str:
        """Return the ETag of a window of these lines."""
        return etag_of(*(each.state for each in self.found), *self.missing, str(self.live), query)

    def drawn(self, shelf: Shelf, curves: Curves, groups: Kept[Group]) -> Drawing:
        """Return the curves; those without a point on the axis are left out, and those that cannot be read.

        Raises DamagedSeriesError when none can.
        """
        kept: list[Curve | DamagedSeriesError | None] = [
            curves.kept(found.line, self.axis, found.state) for found in self.found
        ]
        if unread := [found for found, curve in zip(self.found, kept, strict=True) if curve is None]:
            fresh = iter(self._read_all(shelf, curves, unread))
            kept = [next(fresh) if curve is None else curve for curve in kept]
        both = list(zip(self.found, kept, strict=True))
        known = [(found, curve) for found, curve in both if isinstance(curve, Curve)]
        torn = {
            "/".join(found.address): curve for found, curve in both if isinstance(curve, DamagedSeriesError)
        }
        if torn and not known:
            raise next(iter(torn.values()))
        return Drawing(self._described(known, groups), list(torn))

    def _described(self, known: Sequence[tuple[_Found, Curve]], groups: Kept[Group]) -> list[Drawn]:
        if self.wanted.by is not None:
            return self._in_groups(known, groups)
        several = len({found.address for found, _ in known}) > 1, len(self.wanted.metrics) > 1
        return [Drawn(curve, _words(found, curve, *several)) for found, curve in known]

    def _read_all(
        self, shelf: Shelf, curves: Curves, unread: Sequence[_Found]
    ) -> list[Curve | DamagedSeriesError | None]:
        """Read one after the other as long as that is quick, and from there on several at a time.

        Threads help where Lance reads. Short runs that have ended are read in Python, where they only wait for each
        other: 500 in 0.7 s by one thread, and in 1.3 s by four.
        """
        read = partial(self._read, shelf, curves)
        found = [read(unread[0])]  # apart: it may be the one that imports what reads
        began = time.monotonic()
        while len(found) < len(unread) and time.monotonic() - began < _QUICK_S * (len(found) + _SLOW_ONES):
            found.append(read(unread[len(found)]))
        if len(found) < len(unread):
            with ThreadPoolExecutor(_READERS) as pool:
                found += pool.map(read, unread[len(found) :])
        return found

    def _read(self, shelf: Shelf, curves: Curves, found: _Found) -> Curve | DamagedSeriesError | None:
        try:
            with shelf.run(*found.address, self.fresh_s) as run:
                return curves.curve(run, found.line, self.axis)
        except DamagedSeriesError as exc:
            return exc
        except (MetricNotFoundError, RunNotFoundError):  # gone since it was found
            return None

    def _in_groups(self, known: Sequence[tuple[_Found, Curve]], groups: Kept[Group]) -> list[Drawn]:
        """Return one curve for all runs of a group, and each metric."""
        members: dict[tuple[str, str], list[tuple[_Found, Curve]]] = {}
        for found, curve in known:
            members.setdefault((found.group, found.line.metric), []).append((found, curve))
        numbers = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in members))}
        drawn = []
        for (name, metric), each in sorted(members.items(), key=lambda one: numbers[one[0][0]]):
            key = tuple(found.line for found, _ in each), self.axis, self.wanted.band
            state = digest_of(*(found.state for found, _ in each))
            group = groups.get(key, state, partial(self._group, [curve for _, curve in each]))
            look = _numbered(numbers[name])
            own = [f"{self.wanted.by} = {name}"] + ([metric] if len(self.wanted.metrics) > 1 else [])
            label = f"{' · '.join(own)} ({len(each)})"
            drawn.append(Drawn(group, _described(label, look, len(group), metric=metric, n=len(each))))
        return drawn

    def _group(self, curves: Sequence[Curve]) -> Group:
        try:
            return grouped(curves, self.wanted.band)
        except ValueError as exc:
            raise HTTPException(400, str(exc)) from exc


def find_lines(shelf: Shelf, wanted: Wanted) -> Lines:
    """Look up what is wanted. Raises RunNotFoundError or MetricNotFoundError when no run is there or has any of it."""
    runs = wanted.runs or [(row.folder, row.id) for row in shelf.runs(wanted.project)]
    refuse_too_many(len(runs), len(wanted.metrics))
    fresh_s = _FRESH_S if len(runs) > _MANY_RUNS else 0.0
    axis = _axis(shelf, wanted, runs)
    found: list[_Found] = []
    missing: list[str] = []
    error: KohakuBoardError | None = None
    live, turns = False, 0
    lacking: KohakuBoardError | None
    for address in runs:
        try:
            with shelf.run(*address, fresh_s) as run:
                live |= run.status == "running"
                turns += len(run.attempts) if run.status == "running" else 0
                of_run, lacking = _found_in(run, address, wanted, axis)
        except RunNotFoundError as exc:  # it was moved away since; the others go on
            of_run, lacking = [], exc
        found += of_run
        if lacking is not None:
            error = error or lacking
            missing.append("/".join(address))
    if not found:
        raise error or HTTPException(404, f"There is no run in {wanted.project!r}.")
    return Lines(wanted, axis, found, list(dict.fromkeys(missing)), live, turns, fresh_s)


def _found_in(
    run: Run, address: tuple[str, str], wanted: Wanted, axis: Axis
) -> tuple[list[_Found], MetricNotFoundError | None]:
    """Return the lines of a run, and what is said of the first metric that it lacks."""
    found: list[_Found] = []
    error: MetricNotFoundError | None = None
    group = _group_of(run, wanted.by) if wanted.by is not None else ""
    for place, metric in enumerate(wanted.metrics):
        look = _numbered(place) if len(wanted.metrics) > 1 else colour_of(run.path.name, run.colour)
        try:
            lines = [(line, curve_state(run, line, axis)) for line in _lines(run, metric, wanted)]
        except MetricNotFoundError as exc:
            error = error or exc
            continue
        found += [_Found(address, run.name, group, look, *each) for each in lines]
    return found, error


def _lines(run: Run, metric: str, wanted: Wanted) -> list[Line]:
    lines = [Line(run.path, metric, wanted.host)]
    if wanted.attempts and not wanted.host and wanted.by is None:
        rank = next(iter(run.ranks(metric)), 0)
        earlier = [each.number for each in run.attempts if each.rank == rank][:-1]
        lines += [Line(run.path, metric, None, number) for number in earlier]
    return lines


def _axis(shelf: Shelf, wanted: Wanted, runs: Sequence[tuple[str, str]]) -> Axis:
    if wanted.x in PLAIN_AXES:
        return plain_axis(wanted.x)
    known = []
    error: KohakuBoardError | None = None
    for address in runs:
        try:
            with shelf.run(*address) as run:
                known.append(summary_of(run, wanted.x, wanted.host))
        except (MetricNotFoundError, RunNotFoundError) as exc:
            error = error or exc
    if not known and error:
        raise error
    return axis_of_metric(wanted.x, known)


def _group_of(run: Run, by: str) -> str:
    """Return what a run is grouped by, as text."""
    if by in ("group", "name"):
        return (run.group if by == "group" else run.name) or _NOTHING
    return dict(present.flatten(run.config)).get(by.removeprefix("config."), _NOTHING)


def _words(found: _Found, curve: Curve, several_runs: bool, several_metrics: bool) -> dict[str, Any]:
    attempt, metric = found.line.attempt, found.line.metric
    own = ([found.name] if several_runs else []) + ([metric] if several_metrics else [])
    label = " · ".join(own or [metric]) + (f" · attempt {attempt}" if attempt is not None else "")
    more = {"run": "/".join(found.address), "metric": metric, "attempt": attempt}
    return _described(label, found.look, len(curve), **more)


def _described(label: str, look: Colour, points: int, **more: Any) -> dict[str, Any]:
    looks = {"light": look.light, "dark": look.dark, "dash": look.dash}
    return {"run": None, "attempt": None, "label": label, "points": points, **looks, **more}


def _numbered(place: int) -> Colour:
    """Return the look of what is not a run: of metrics and groups, by their order."""
    return HUES[place % len(HUES)]._replace(dash=DASHES[place // len(HUES) % len(DASHES)])
