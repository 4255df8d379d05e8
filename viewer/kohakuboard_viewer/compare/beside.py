"""Choose what is shown beside each other of what runs logged under one name: which name, which runs, which step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kohakuboard.errors import KohakuBoardError
from kohakuboard.reader import Run

from .. import present
from ..kept import Kept
from ..shelf import Shelf
from ..tabs import Paging, Steps
from .ask import RunsAsk
from .runs import Compared, Gathered

__all__ = ["Beside", "beside"]

_LIMIT_BYTES = 16 * 1024 * 1024
_NAMES = Kept[Sequence[str]](_LIMIT_BYTES, lambda names: 100 + sum(50 + len(name) for name in names))


@dataclass(frozen=True, slots=True)
class Beside:
    """Hold what is chosen: of all names one, None where there is none; of the runs that have it a page."""

    query: str
    names: Sequence[str]
    name: str | None
    paging: Paging
    runs: Sequence[Compared]

    def told(self, shown: Mapping[str, tuple[Sequence[int], Any]], ask: RunsAsk) -> dict[str, Any]:
        """Return what each such tab tells its template, out of the steps at which each run logged something."""
        steps = Steps.of(ask, (step for steps, _ in shown.values() for step in steps))
        return {
            "query": self.query,
            "names": self.names,
            "name": self.name,
            "paging": self.paging,
            "here": self.runs,
            "steps": steps,
        }


def beside(
    shelf: Shelf,
    gathered: Gathered,
    ask: RunsAsk,
    kind: str,
    names_of: Callable[[Run], Iterable[str]],
    *,
    size: int,
) -> Beside:
    """Choose by the URL: `name`, by default the first of those that most runs have, `q` and the `page` of the runs."""
    known = {run.address: _names_of(shelf, run, kind, names_of) for run in gathered.runs}
    counts = Counter(name for names in known.values() for name in names)
    words = present.split_words(ask.words("q"))
    names = [name for name in counts if present.has_words(words, name)]
    name = (
        ask.text("name")
        if ask.text("name") in counts
        else max(names, key=lambda name: counts[name], default=None)
    )
    having = [run for run in gathered.runs if name in known[run.address]]
    paging = Paging.of(ask, len(having), size)
    return Beside(ask.words("q"), names, name, paging, having[paging.begin : paging.end])


def _names_of(
    shelf: Shelf, each: Compared, kind: str, names_of: Callable[[Run], Iterable[str]]
) -> Sequence[str]:
    """Return the names that a run has; none of one that cannot be read."""
    try:
        with shelf.run(each.folder, each.id) as run:
            return _NAMES.get(
                (run.path, kind), run.stored_version, lambda: list(dict.fromkeys(names_of(run)))
            )
    except KohakuBoardError:
        return []
