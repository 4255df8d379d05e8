"""The values that runs are drawn by: what of their configs differs, and what came out, one column for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .. import present
from .runs import Compared
from .summary import STATISTICS, metric_names

__all__ = ["Column", "columns_of", "config_keys", "result_keys"]

_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class Column:
    """Hold one value of each run.

    Attributes:
        key: "config:optimizer.lr" or "result:val/loss", as the URL names it.
        label: What people read.
        texts: The values as text, None where a run has none.
        places: Where they are drawn: numbers as they are, else the place among `names`; None where there is none.
        names: The different values, where they are no numbers.
    """

    key: str
    label: str
    texts: Sequence[str | None]
    places: Sequence[float | None]
    names: Sequence[str] = ()

    @property
    def numeric(self) -> bool:
        """Tell whether the values are numbers."""
        return not self.names


def config_keys(runs: Sequence[Compared]) -> list[str]:
    """Return the keys of what differs between configs."""
    names = dict.fromkeys(name for run in runs for name in run.config)
    return [
        f"config:{name}" for name in names if len({present.plain(run.config.get(name)) for run in runs}) > 1
    ]


def result_keys(runs: Sequence[Compared]) -> list[str]:
    """Return the keys of what came out: those that tell most first."""
    counts = metric_names(runs)
    main = present.main_metrics(counts, 20)
    own = (name for run in runs for name, value in run.own.items() if _number(value) is not None)
    return [f"result:{name}" for name in dict.fromkeys([*main, *own, *counts])]


def columns_of(runs: Sequence[Compared], keys: Sequence[str], statistic: str) -> list[Column]:
    """Return columns; of metrics one of `STATISTICS`."""
    return [_column(key, [_value(run, key, statistic) for run in runs]) for key in keys]


def _value(run: Compared, key: str, statistic: str) -> Any:
    kind, _, name = key.partition(":")
    if kind == "config":
        return run.config.get(name)
    metric = run.metrics.get(name)
    assert statistic in STATISTICS
    return run.own.get(name) if metric is None else getattr(metric, statistic)


def _column(key: str, values: Sequence[Any]) -> Column:
    label = key.partition(":")[2]
    numbers = [_number(value) for value in values]
    if all(value is None or number is not None for value, number in zip(values, numbers, strict=True)):
        texts = [None if value is None else present.number(value) for value in values]
        places = [number if number is not None and math.isfinite(number) else None for number in numbers]
        return Column(key, label, texts, places)
    texts = [None if value is None else _cut(present.plain(value)) for value in values]
    names = sorted({text for text in texts if text is not None})
    found = {name: float(place) for place, name in enumerate(names)}
    return Column(key, label, texts, [None if text is None else found[text] for text in texts], names)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
