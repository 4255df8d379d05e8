"""Find the curves that a chart asks for: of runs, metrics and attempts, with a name and a look for each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from kohakuboard.errors import MetricNotFoundError
from kohakuboard.reader import Run

from .answers import etag_of
from .axes import PLAIN_AXES, Axis, axis_of_metric, plain_axis
from .colours import DASHES, HUES, Colour, colour_of
from .curves import Curves, Line, curve_state, summary_of
from .reduce import Curve
from .shelf import Shelf
from .wanted import Wanted

__all__ = ["Drawn", "Lines", "find_lines"]


class _Found(NamedTuple):
    """Hold a line of a run, which is found again under `address`, and what it was when it was found."""

    address: tuple[str, str]
    name: str
    line: Line
    place: int
    several: bool


class Drawn(NamedTuple):
    """Hold a curve and what a chart says of it."""

    curve: Curve
    words: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lines:
    """Hold what was found; `missing` are the runs, as PROJECT/ID, that lack some of it."""

    axis: Axis
    found: Sequence[_Found]
    states: Sequence[str]
    missing: Sequence[str]
    live: bool

    def etag(self, query: str) -> str:
        """Return the ETag of a window of these lines."""
        return etag_of(*self.states, *self.missing, str(self.live), query)

    def drawn(self, shelf: Shelf, curves: Curves) -> list[Drawn]:
        """Return the curves; those without a point on the axis are left out."""
        drawn = []
        for found, state in zip(self.found, self.states, strict=True):
            curve = curves.kept(found.line, self.axis, state)
            if curve is None:
                with shelf.run(*found.address) as run, suppress(MetricNotFoundError):
                    curve = curves.curve(run, found.line, self.axis)
            if curve is not None:
                drawn.append(Drawn(curve, self._words(found, curve)))
        return drawn

    def _words(self, found: _Found, curve: Curve) -> dict[str, Any]:
        look = _look(found)
        own = [found.name] if len({each.address for each in self.found}) > 1 else []
        if found.several:
            own.append(found.line.metric)
        attempt = found.line.attempt
        return {
            "run": "/".join(found.address),
            "metric": found.line.metric,
            "attempt": attempt,
            "label": " · ".join(own or [found.line.metric]) + (f" · attempt {attempt}" if attempt else ""),
            "points": len(curve),
            "light": look.light,
            "dark": look.dark,
            "dash": look.dash,
        }


def find_lines(shelf: Shelf, wanted: Wanted) -> Lines:
    """Look up what is wanted. Raises RunNotFoundError, and MetricNotFoundError when no run has any of it."""
    axis = _axis(shelf, wanted)
    found: list[_Found] = []
    states: list[str] = []
    missing: list[str] = []
    error: MetricNotFoundError | None = None
    live = False
    for address in wanted.runs:
        with shelf.run(*address) as run:
            live |= run.status == "running"
            for place, metric in enumerate(wanted.metrics):
                try:
                    for line in _lines(run, metric, wanted):
                        states.append(curve_state(run, line, axis))
                        found.append(_Found(address, run.name, line, place, len(wanted.metrics) > 1))
                except MetricNotFoundError as exc:
                    error = error or exc
                    missing.append("/".join(address))
    if not found and error:
        raise error
    return Lines(axis, found, states, list(dict.fromkeys(missing)), live)


def _lines(run: Run, metric: str, wanted: Wanted) -> list[Line]:
    lines = [Line(run.path, metric, wanted.host)]
    if wanted.attempts and not wanted.host:
        rank = next(iter(run.ranks(metric)), 0)
        earlier = [each.number for each in run.attempts if each.rank == rank][:-1]
        lines += [Line(run.path, metric, None, number) for number in earlier]
    return lines


def _axis(shelf: Shelf, wanted: Wanted) -> Axis:
    if wanted.x in PLAIN_AXES:
        return plain_axis(wanted.x)
    known = []
    error: MetricNotFoundError | None = None
    for address in wanted.runs:
        with shelf.run(*address) as run:
            try:
                known.append(summary_of(run, wanted.x, wanted.host))
            except MetricNotFoundError as exc:
                error = error or exc
    if not known and error:
        raise error
    return axis_of_metric(wanted.x, known)


def _look(found: _Found) -> Colour:
    """Return how a line is drawn: runs by their hue, metrics of one run by theirs, and metrics of several by dashes."""
    if not found.several:
        return colour_of(found.address[1])
    hue = HUES[found.place % len(HUES)]
    return hue._replace(dash=DASHES[found.place // len(HUES) % len(DASHES)])
