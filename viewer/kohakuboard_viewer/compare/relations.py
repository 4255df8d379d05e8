"""What came out against what was set: parallel coordinates, a scatter plot, and how much each setting mattered.

    up=KEY        the result that all is about, at the end of the parallel coordinates and up the scatter plot
    across=KEY    what the scatter plot has across
    axis=KEY      an axis of the parallel coordinates, once for each
    of=           which of last, min and max of a metric counts
    brush=LO:HI:KEY   what is picked out, by script alone

A KEY is "config:optimizer.lr" or "result:val/loss".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .. import present
from ..shelf import Shelf
from .ask import RunsAsk
from .rank_correlation import rank_correlation
from .runs import Compared, Gathered
from .scales import Scale, path
from .summary import STATISTICS, direction_of
from .values import Column, columns_of, config_keys, result_keys
from .view import View

__all__ = ["VIEW", "Importance"]

_MOST_AXES: Final = 16
_USUAL_AXES: Final = 6
_MOST_OFFERED: Final = 60
_MOST_SETTINGS: Final = 300


@dataclass(frozen=True, slots=True)
class Importance:
    """Hold how one setting goes with the result: Spearman's correlation of n runs; `missing` lack one of the two."""

    key: str
    label: str
    correlation: float | None
    n: int
    missing: int

    @property
    def strength(self) -> float:
        """Return how far from nothing the correlation is, -1 where there is none."""
        return -1.0 if self.correlation is None else abs(self.correlation)


def _show(shelf: Shelf, gathered: Gathered, ask: RunsAsk) -> Mapping[str, Any]:
    runs = gathered.runs
    settings, results = config_keys(runs)[:_MOST_SETTINGS], result_keys(runs)
    if not results:
        return {"target": None}
    statistic = ask.words("of") if ask.words("of") in STATISTICS else "last"
    target = ask.text("up") if ask.text("up") in {*settings, *results} else results[0]
    (up,) = columns_of(runs, [target], statistic)
    known = columns_of(runs, settings, statistic)
    important = _importances(known, up)
    telling = [each.key for each in important] + [each.key for each in known if not each.numeric]
    default = next((key for key in telling if key != target), target)
    across = ask.text("across") if ask.text("across") in {*settings, *results} else default
    axes = _axes(ask, telling, {*settings, *results}, across, target)
    scales = [Scale.of(column) for column in columns_of(runs, axes, statistic)]
    by_key = {scale.column.key: scale for scale in scales}
    return {
        "target": target,
        "across": across,
        "statistic": statistic,
        "settings": settings,
        "results": _offered(results, axes, present.split_words(ask.words("q"))),
        "n_results": len(results),
        "scales": scales,
        "paths": [path(scales, i) for i in range(len(runs))],
        "scatter": (by_key[across], by_key[target]),
        "order": _order(runs, up),
        "importances": important,
        "n_texts": sum(not each.numeric for each in known),
        "query": ask.words("q"),
    }


def _axes(ask: RunsAsk, telling: Sequence[str], known: set[str], across: str, target: str) -> list[str]:
    """Return the axes that are asked for, or those that tell most, and `across`; the result stands at the end."""
    asked = [key for _, key in ask.several("axis") if key in known]
    chosen = dict.fromkeys(key for key in [across, *(asked or telling[:_USUAL_AXES])] if key != target)
    return [*sorted(list(chosen)[: _MOST_AXES - 1], key=lambda key: key.startswith("result:")), target]


def _offered(results: Sequence[str], axes: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the results that can be chosen on the page: those that are chosen, and of the others not too many."""
    found = [key for key in results if present.has_words(words, key)]
    return list(dict.fromkeys([*(key for key in axes if key.startswith("result:")), *found[:_MOST_OFFERED]]))


def _importances(settings: Sequence[Column], result: Column) -> list[Importance]:
    """Return how the numbers among the settings go with a result, the strongest first."""
    found = []
    for each in settings:
        if each.numeric or set(each.names) <= {"false", "true"}:
            correlation, n = rank_correlation(each.places, result.places)
            found.append(Importance(each.key, each.label, correlation, n, len(each.places) - n))
    return sorted(found, key=lambda each: -each.strength)


def _order(runs: Sequence[Compared], result: Column) -> list[int]:
    """Return the places of the runs, the best first, those without a result last."""
    sign = 1 if direction_of(result.label) == "lower" else -1
    values = result.places
    return sorted(range(len(runs)), key=lambda i: math.inf if (value := values[i]) is None else sign * value)


VIEW = View("relations", "Relations", _show)
