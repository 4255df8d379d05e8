"""What a tab of a run's page is, and how it reads what the URL asks of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

from kohakuboard.reader import Run

__all__ = ["Ask", "Paging", "Stepped", "Steps", "Tab", "at_step", "chosen_name"]

# A slider has no more positions than a screen has pixels, and their steps travel with each page.
_MOST_POSITIONS: Final = 4000
_LONGEST_WORDS: Final = 500
_LARGEST: Final = 2**63 - 1


class Ask:
    """Read what a URL asks of a page. What makes no sense is taken as not asked, what is too much as the most."""

    def __init__(self, query: Mapping[str, str]) -> None:
        # `open` is for script alone: which picture is shown large. Links to other things do not keep it.
        self._query = {key: value for key, value in query.items() if key != "open"}

    def words(self, name: str) -> str:
        """Return a text, "" when there is none."""
        return self._query.get(name, "")[:_LONGEST_WORDS].strip()

    def text(self, name: str) -> str:
        """Return a text as it is, such as a name that was logged."""
        return self._query.get(name, "")

    def whole(self, name: str) -> int | None:
        """Return a whole number of 64 bits, None when there is none."""
        text = self._query.get(name, "").strip()
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            return None
        return min(max(int(text), -_LARGEST), _LARGEST)

    def within(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number, the nearest there is when it is out of bounds."""
        value = self.whole(name)
        return default if value is None else min(max(value, least), most)

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """Return what a form has to hand on: all that is asked, but for some."""
        return [(key, value) for key, value in self._query.items() if key not in without]

    def link(self, **changes: object) -> str:
        """Return a link to this page that asks for other things; None takes one out."""
        query = {key: value for key, value in {**self._query, **changes}.items() if value not in (None, "")}
        return "?" + urlencode(query)


def chosen_name(ask: Ask, names: Sequence[str]) -> str | None:
    """Return the name that is asked for, or the first; None when there are no names."""
    wanted = ask.text("name")
    return wanted if wanted in names else next(iter(names), None)


class Stepped(Protocol):
    """Be something that was logged at a step."""

    @property
    def step(self) -> int:
        """Return the step."""
        ...


Entry = TypeVar("Entry", bound=Stepped)


def at_step(entries: Sequence[Entry], step: int | None) -> Sequence[Entry]:
    """Return those of entries, in order of their steps, that belong to the last step up to one."""
    end = bisect_right([entry.step for entry in entries], step) if step is not None else 0
    begin = end
    while begin > 0 and entries[begin - 1].step == entries[end - 1].step:
        begin -= 1
    return entries[begin:end]


@dataclass(frozen=True, slots=True)
class Paging:
    """Say which part of a long list is shown: the items from `begin` to `end`, which has `total`."""

    page: int
    size: int
    total: int

    @classmethod
    def of(cls, ask: Ask, total: int, size: int, name: str = "page") -> Paging:
        """Return the page that is asked for, or the nearest there is."""
        return cls(ask.within(name, 1, 1, max(-(-total // size), 1)), size, total)

    @property
    def begin(self) -> int:
        """Return the place of the first item that is shown."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """Return the place behind the last one."""
        return min(self.page * self.size, self.total)

    @property
    def last(self) -> int:
        """Return the number of the last page."""
        return max(-(-self.total // self.size), 1)

    @property
    def previous(self) -> int | None:
        """Return the number of the page before, if there is one."""
        return self.page - 1 if self.page > 1 else None

    @property
    def next(self) -> int | None:
        """Return the number of the page behind, if there is one."""
        return self.page + 1 if self.page < self.last else None


@dataclass(frozen=True, slots=True)
class Steps:
    """Hold the steps that something was logged at, in order, and which of them is looked at."""

    steps: Sequence[int]
    position: int

    @classmethod
    def of(cls, ask: Ask, steps: Iterable[int]) -> Steps:
        """Return the last of the steps, or the last one up to the `step` that is asked for."""
        known = sorted(set(steps))
        wanted = ask.whole("step")
        position = len(known) - 1 if wanted is None else max(bisect_right(known, wanted) - 1, 0)
        return cls(known, position)

    @property
    def chosen(self) -> int | None:
        """Return the step that is looked at; None when there is none."""
        return self.steps[self.position] if self.steps else None

    @property
    def previous(self) -> int | None:
        """Return the step before, if there is one."""
        return self.steps[self.position - 1] if self.position > 0 else None

    @property
    def next(self) -> int | None:
        """Return the step behind, if there is one."""
        return self.steps[self.position + 1] if self.position + 1 < len(self.steps) else None

    @property
    def positions(self) -> list[int]:
        """Return the steps that a slider stops at: all, or every so many, with the chosen and the last."""
        stride = -(-len(self.steps) // _MOST_POSITIONS)
        if stride <= 1:
            return list(self.steps)
        return sorted({*self.steps[::stride], self.steps[self.position], self.steps[-1]})


def _stored(run: Run) -> str:
    return run.stored_version


@dataclass(frozen=True, slots=True)
class Tab:
    """Describe a tab of a run's page; its template is templates/tabs/<path>.html.

    Args:
        path: What the run's address ends with, "" for the first one.
        title: What people read.
        count: Returns how much there is; a tab with nothing is not offered.
        show: Returns what its template needs.
        version: Returns a word that is another whenever the tab may show something else.
        counted: Whether people are told how much there is.
    """

    path: str
    title: str
    count: Callable[[Run], int]
    show: Callable[[Run, Ask], Mapping[str, Any]]
    version: Callable[[Run], str] = _stored
    counted: bool = True

    @property
    def template(self) -> str:
        """Return the name of the template."""
        return f"tabs/{self.path or 'overview'}.html"
