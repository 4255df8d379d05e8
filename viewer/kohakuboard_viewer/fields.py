"""What a column of the table of runs can be, by its key.

    name, status, started …   what each run has, see ATTRIBUTES
    config.<path>             a hyperparameter
    metric.<name>[:<stat>]    what a metric came to: its last value, or min, max, mean or count; samples of the
                              machine, too ("metric.system/cpu:mean"); with :curve a picture of it
    summary.<path>            what was put into board.summary
    env.<path>                of the machine, the program or the code

In a query and by hand the kind may be left out where the rest says enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from kohakuboard.reader import last_values

from .rows import Row

__all__ = [
    "ATTRIBUTES",
    "CURVE",
    "KINDS",
    "STATS",
    "Attribute",
    "curve_of",
    "getter",
    "is_curve",
    "label",
    "many_getter",
    "resolve",
    "split",
]


class Attribute(NamedTuple):
    """Describe a value that every run has a place for."""

    read: Callable[[Row], Any]
    unit: str = ""  # "time" for s since 1970 UTC, "duration" for s


ATTRIBUTES: Final[Mapping[str, Attribute]] = {
    "name": Attribute(lambda row: row.name),
    "status": Attribute(lambda row: row.status),
    "project": Attribute(lambda row: row.project),
    "started": Attribute(lambda row: row.started or None, "time"),
    "ended": Attribute(lambda row: row.ended, "time"),
    "duration": Attribute(lambda row: row.duration_s, "duration"),
    "step": Attribute(lambda row: row.last_step),
    "id": Attribute(lambda row: row.id),
    "group": Attribute(lambda row: row.group),
    "tags": Attribute(lambda row: row.tags or None),
    "notes": Attribute(lambda row: row.notes or None),
    "colour": Attribute(lambda row: row.colour.name),
    "pinned": Attribute(lambda row: row.pinned),
    "archived": Attribute(lambda row: row.archived),
    "error": Attribute(lambda row: row.error),
    "problems": Attribute(lambda row: len(row.problems)),
}
KINDS: Final = ("config", "metric", "summary", "env")
STATS: Final = ("last", "min", "max", "mean", "count")
CURVE: Final = "curve"  # a small picture, in the place of a stat

# How many names are looked at for one that is meant.
_MOST_GUESSED: Final = 5000


def split(key: str) -> tuple[str, str]:
    """Return kind and rest of a key; "run" for an attribute."""
    if key in ATTRIBUTES:
        return "run", key
    kind, dot, rest = key.partition(".")
    return (kind, rest) if dot and kind in KINDS else ("", key)


def label(key: str) -> str:
    """Return what stands at the top of a column."""
    return f"{curve_of(key)} curve" if is_curve(key) else split(key)[1]


def is_curve(key: str) -> bool:
    """Tell whether a column shows pictures of curves."""
    return key.startswith("metric.") and key.endswith(f":{CURVE}")


def curve_of(key: str) -> str:
    """Return the name of the metric that such a column shows."""
    return split(key)[1].removesuffix(f":{CURVE}")


def getter(key: str) -> Callable[[Row], Any]:
    """Return what reads a field of a run: None where the run has no such value."""
    kind, rest = split(key)
    if kind == "run":
        return ATTRIBUTES[rest].read
    if kind == "config":
        return lambda row: row.config.get(rest)
    if kind == "summary":
        return lambda row: row.summary.get(rest)
    if kind == "metric":
        return _metric(rest)
    if kind == "env":
        return lambda row: _dug(row.environment, rest)
    return lambda row: None


def many_getter(keys: Iterable[str]) -> tuple[list[str], Callable[[Row], list[Any]]]:
    """Return fields in an order, and what reads them in it: in half the time that a getter of each takes."""
    by_kind: dict[str, list[str]] = {"config": [], "metric": [], "": []}
    for key in keys:
        by_kind.get(split(key)[0], by_kind[""]).append(key)
    configs = [split(key)[1] for key in by_kind["config"]]
    names = [split(key)[1] for key in by_kind["metric"]]
    metrics = [getter(key) for key in by_kind["metric"]]
    others = [getter(key) for key in by_kind[""]]

    def read(row: Row) -> list[Any]:
        config = row.config
        found = [config.get(path) for path in configs]
        for value, read_one in zip(last_values(row.metrics, names), metrics, strict=True):
            found.append(read_one(row) if value is None else value)
        return found + [read_one(row) for read_one in others]

    return [key for kind in by_kind.values() for key in kind], read


def _metric(rest: str) -> Callable[[Row], Any]:
    name, _, stat = rest.rpartition(":")
    known = stat if stat in (*STATS, CURVE) else ""

    def read(row: Row) -> Any:
        found = row.metrics.get(rest) or row.system.get(rest)
        if found is not None:
            return found.last
        found = (row.metrics.get(name) or row.system.get(name)) if known else None
        return None if found is None else getattr(found, "last_step" if known == CURVE else known)

    return read


def _dug(values: Mapping[str, Any], path: str) -> Any:
    """Return the leaf at the end of a path, whose parts may have dots of their own."""
    if path in values:
        return values[path]
    head = ""
    for part in path.split(".")[:-1]:
        head = f"{head}.{part}" if head else part
        inner = values.get(head)
        if isinstance(inner, Mapping):
            return _dug(inner, path[len(head) + 1 :])
    return None


def resolve(name: str, known: Mapping[str, Iterable[str]]) -> tuple[str | None, list[str]]:
    """Return the key that somebody means by a name, or None and the names that are near.

    Args:
        name: A key, or one without its kind, or only the last part of the path of a hyperparameter.
        known: The names of each kind that there are.
    """
    kind, rest = split(name)
    if kind == "run":
        return name, []
    if kind and _is_known(rest, known[kind], kind):
        return name, []
    for kind in KINDS:
        if _is_known(name, known[kind], kind):
            return f"{kind}.{name}", []
    ends = [path for path in known["config"] if path.endswith(f".{name}")]
    if len(ends) == 1:
        return f"config.{ends[0]}", []
    every = [*ATTRIBUTES, *(each for kind in KINDS for each in known[kind])]
    return None, ends or get_close_matches(name, every[:_MOST_GUESSED], n=3)


def _is_known(rest: str, names: Iterable[str], kind: str) -> bool:
    if rest in names:
        return True
    name, _, stat = rest.rpartition(":")
    return kind == "metric" and stat in (*STATS, CURVE) and name in names
