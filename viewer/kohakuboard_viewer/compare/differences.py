"""What differs between runs: of configs and of environments, one row for each value, at first only those that do.

Of a run whose database cannot be read nothing is known, which is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from .. import present
from ..answers import digest_of
from ..diff import diff_of
from ..kept import Kept
from ..shelf import Shelf
from ..tabs import Paging
from .ask import RunsAsk
from .runs import Compared

__all__ = ["Difference", "Differences", "config_differences", "differing_config", "environment_differences"]

_MOST_CELLS: Final = 4000
_MOST_ROWS: Final = 100
_LEAST_ROWS: Final = 10
_LONGEST: Final = 300
_LIMIT_BYTES: Final = 64 * 1024 * 1024

_Flat = Mapping[str, str]
_Flats = Sequence[_Flat | None]  # None of a run that cannot be read
_ENVIRONMENTS: Final = Kept[_Flat](
    _LIMIT_BYTES, lambda flat: sum(200 + len(name) + len(value) for name, value in flat.items())
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold the values of one name, for each run a text (None where none is known) and whether the first has another."""

    name: str
    cells: Sequence[tuple[str | None, bool]]


@dataclass(frozen=True, slots=True)
class Differences:
    """Hold the rows that are shown; how many values differ, and how many there are; whether all are asked for."""

    rows: Sequence[Difference]
    n_differing: int
    n_all: int
    whole: bool
    paging: Paging


def config_differences(runs: Sequence[Compared], ask: RunsAsk, words: Sequence[str]) -> Differences:
    """Return how the configs differ."""
    return _differences(_configs(runs), ask, words, "config")


def differing_config(runs: Sequence[Compared]) -> list[Difference]:
    """Return all of a config that differs."""
    flats = _configs(runs)
    return [_difference(key, flats) for key in _differing(flats)]


def _configs(runs: Sequence[Compared]) -> _Flats:
    return [
        None if run.unreadable else {name: present.text(value) for name, value in run.config.items()}
        for run in runs
    ]


def environment_differences(
    shelf: Shelf, runs: Sequence[Compared], ask: RunsAsk, words: Sequence[str]
) -> Differences:
    """Return how machine, command, code and packages differ."""
    flats = [
        None
        if each.unreadable
        else _ENVIRONMENTS.get((shelf.root, each.url), each.version, partial(_environment, shelf, each))
        for each in runs
    ]
    return _differences(flats, ask, words, "environment")


def _environment(shelf: Shelf, each: Compared) -> _Flat:
    with shelf.run(each.folder, each.id) as run:
        environment = run.environment
    flat = dict(present.flatten(environment))
    if text := flat.pop("git.diff", None):
        changed = diff_of(environment, 0)
        counts = f"{changed.n_files} files, +{changed.n_added} −{changed.n_taken}"
        flat["git.diff"] = f"{counts} ({digest_of(text)[:8]})"
    return flat


def _differences(flats: _Flats, ask: RunsAsk, words: Sequence[str], name: str) -> Differences:
    whole = ask.words(name) == "all"
    names, differing = _names(flats), _differing(flats)
    wanted = names if whole else differing
    found = [key for key in wanted if _has_words(words, key, flats)]
    size = min(max(_MOST_CELLS // len(flats), _LEAST_ROWS), _MOST_ROWS)
    paging = Paging.of(ask, len(found), size, f"{name}-page")
    rows = [_difference(key, flats) for key in found[paging.begin : paging.end]]
    return Differences(rows, len(differing), len(names), whole, paging)


def _names(flats: _Flats) -> list[str]:
    return list(dict.fromkeys(key for flat in flats for key in flat or ()))


def _differing(flats: _Flats) -> list[str]:
    return [key for key in _names(flats) if len(set(_values(key, flats))) > 1]


def _has_words(words: Sequence[str], key: str, flats: _Flats) -> bool:
    return not words or present.has_words(words, key, *set(_values(key, flats)))


def _difference(key: str, flats: _Flats) -> Difference:
    first = _values(key, flats)[0]
    return Difference(
        key,
        [(None, False) if flat is None else (_cut(flat.get(key)), flat.get(key) != first) for flat in flats],
    )


def _values(key: str, flats: _Flats) -> list[str | None]:
    """Return the value of each run that can be read, None where it has none."""
    return [flat.get(key) for flat in flats if flat is not None]


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST else text[:_LONGEST] + " …"
