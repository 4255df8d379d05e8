"""The table of what each metric came to in each run, with the best of each row marked.

Which way is better cannot be known from numbers: a loss, an error or a perplexity is taken as better when it is lower,
a learning rate or a time as neither, and all else as better when it is higher, until somebody says otherwise in the
URL: `lower=METRIC`, `higher=METRIC` or `neither=METRIC`, the last of which counts.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from kohakuboard.reader import Metric

from .. import present
from ..tabs import Paging
from .ask import RunsAsk
from .runs import Compared

__all__ = [
    "DIRECTIONS",
    "STATISTICS",
    "Direction",
    "Row",
    "Summary",
    "compared_names",
    "direction_of",
    "metric_names",
    "rows_of",
    "summary_of",
]

Direction = Literal["lower", "higher", "neither"]
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
STATISTICS: Final = ("last", "min", "max")

_MOST_CELLS: Final = 6000
_MOST_ROWS: Final = 50
_LEAST_ROWS: Final = 5
_BAD: Final = re.compile(
    r"loss|perplexity|error|(^|[/_.\- ])(err|ppl|nll|mse|mae|rmse|wer|cer|fid|lpips|regret)([/_.\- ]|$)",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(
    r"^(system|time|timer|perf)/|(^|[/_.\- ])(lr|learning_rate|epochs?|steps?|time|seconds)([/_.\- ]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one statistic of a metric: a text for each run, and whether it is the best of them."""

    statistic: str
    cells: Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Row:
    """Hold what a metric came to; `turned` is the direction it takes when it is turned, `chosen` whether it was."""

    name: str
    direction: Direction
    turned: Direction
    chosen: bool
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Summary:
    """Hold the part of the table that is shown."""

    rows: Sequence[Row]
    paging: Paging
    statistic: str
    chosen: Sequence[tuple[str, str]]


def direction_of(name: str) -> Direction:
    """Return which way a metric is better, as far as its name tells."""
    if _BAD.search(name):
        return "lower"
    return "neither" if _ASIDE.search(name) else "higher"


def metric_names(runs: Iterable[Compared]) -> Counter[str]:
    """Return the names of all metrics in order of first appearance, and how many of the runs have each."""
    found: Counter[str] = Counter()
    for run in runs:
        found.update(run.metrics.keys())
    return found


def chosen_directions(ask: RunsAsk) -> dict[str, Direction]:
    """Return the directions that the URL chooses, but for those that are so anyway."""
    known: dict[str, Direction] = {direction: direction for direction in DIRECTIONS}
    said = {name: known[direction] for direction, name in ask.several(*DIRECTIONS)}
    return {name: direction for name, direction in said.items() if direction != direction_of(name)}


def summary_of(runs: Sequence[Compared], ask: RunsAsk, words: Sequence[str]) -> Summary:
    """Return the rows that are asked for."""
    statistic = ask.words("show") if ask.words("show") in STATISTICS else "all"
    names = [name for name in compared_names(runs) if present.has_words(words, name)]
    shown = STATISTICS if statistic == "all" else (statistic,)
    size = min(max(_MOST_CELLS // (len(runs) * len(shown)), _LEAST_ROWS), _MOST_ROWS)
    paging = Paging.of(ask, len(names), size)
    chosen = chosen_directions(ask)
    rows = [_row(name, runs, shown, chosen.get(name)) for name in names[paging.begin : paging.end]]
    said = [(direction, name) for name, direction in chosen.items()]
    return Summary(rows, paging, statistic, said)


def compared_names(runs: Sequence[Compared]) -> list[str]:
    """Return the metrics, and behind them the numbers that were set by hand."""
    own = (name for run in runs for name, value in run.own.items() if value_of(value) is not None)
    return list(dict.fromkeys([*metric_names(runs), *own]))


def rows_of(runs: Sequence[Compared], names: Iterable[str]) -> list[Row]:
    """Return whole rows, each direction as the name tells it."""
    return [_row(name, runs, STATISTICS, None) for name in names]


def _row(name: str, runs: Sequence[Compared], shown: Sequence[str], chosen: Direction | None) -> Row:
    metrics = [run.metrics.get(name) for run in runs]
    direction = chosen or direction_of(name)
    if any(metrics):
        lines = [
            _line(statistic, [_statistic(one, statistic) for one in metrics], direction)
            for statistic in shown
        ]
    else:
        lines = [_line("set", [run.own.get(name) for run in runs], direction)]
    turned = DIRECTIONS[(DIRECTIONS.index(direction) + 1) % len(DIRECTIONS)]
    return Row(name, direction, turned, chosen is not None, lines)


def _statistic(metric: Metric | None, statistic: str) -> float | None:
    value: float | None = None if metric is None else getattr(metric, statistic)
    return value


def _line(statistic: str, values: Sequence[Any], direction: Direction) -> Line:
    best = _best([value_of(value) for value in values], direction)
    cells = [(present.number(value), best is not None and value_of(value) == best) for value in values]
    return Line(statistic, cells)


def _best(values: Sequence[float | None], direction: Direction) -> float | None:
    """Return the best of some values; None when there is nothing to choose, or no direction."""
    known = {value for value in values if value is not None}
    if direction == "neither" or len(known) < 2:
        return None
    return min(known) if direction == "lower" else max(known)


def value_of(value: object) -> float | None:
    """Return a value that can be compared: None of one that is no number, or NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return value
