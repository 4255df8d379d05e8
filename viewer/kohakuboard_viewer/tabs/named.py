"""Choose by name and by step, as each tab does that shows what was logged under many names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .. import present
from .base import Ask, Paging, Stepped, Steps

__all__ = ["Named", "Names", "by_name", "steps_in"]


class Named(Stepped, Protocol):
    """Be something that was logged under a name at a step."""

    @property
    def name(self) -> str:
        """Return the name."""
        ...


Entry = TypeVar("Entry", bound=Named)


def by_name(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return entries by name, in order of their steps."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.name, []).append(entry)
    return {name: sorted(of_name, key=lambda entry: entry.step) for name, of_name in found.items()}


@dataclass(frozen=True, slots=True)
class Names:
    """Hold which names a page shows: `shown`, those of its part of all that have the words that are asked for."""

    query: str
    paging: Paging
    shown: Sequence[str]

    @classmethod
    def of(cls, ask: Ask, names: Iterable[str], size: int, parameter: str = "page") -> Names:
        """Return the names that are asked for."""
        query = ask.words("q")
        words = present.split_words(query)
        found = [name for name in names if present.has_words(words, name)]
        paging = Paging.of(ask, len(found), size, parameter)
        return cls(query, paging, found[paging.begin : paging.end])

    def told(self, ask: Ask, steps_of: Callable[[str], Iterable[int]]) -> dict[str, Any]:
        """Return what each such tab tells its template; the steps are those of the names that are shown."""
        steps = Steps.of(ask, (step for name in self.shown for step in steps_of(name)))
        return {"query": self.query, "paging": self.paging, "steps": steps}


def steps_in(known: Mapping[str, Sequence[Stepped]]) -> Callable[[str], Iterable[int]]:
    """Return what gives the steps of a name."""
    return lambda name: (entry.step for entry in known[name])
