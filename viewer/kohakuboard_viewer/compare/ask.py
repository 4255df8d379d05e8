"""Read what a URL asks of some runs together: `run=PROJECT/ID` once for each, and all else as on a run's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from ..tabs import Ask

__all__ = ["LEAST_RUNS", "MOST_RUNS", "RunsAsk"]

LEAST_RUNS: Final = 2
MOST_RUNS: Final = 100

_LONGEST_NAME: Final = 600
_MOST_NAMES: Final = 200


class RunsAsk(Ask):
    """Read a query in which a name may occur again and again. Raises HTTPException when it names too many runs."""

    def __init__(self, query: QueryParams) -> None:
        super().__init__(query)
        self._items = [(key, value) for key, value in query.multi_items() if key != "open"]
        self.runs = tuple(dict.fromkeys(query.getlist("run")))
        if not LEAST_RUNS <= len(self.runs) <= MOST_RUNS:
            count = f"{len(self.runs)} {'is' if len(self.runs) == 1 else 'are'}"
            raise HTTPException(
                400,
                f"From {LEAST_RUNS} to {MOST_RUNS} runs can be compared, and {count} named: "
                "/compare?run=PROJECT/ID&run=PROJECT/ID, or select them in a table of runs.",
            )

    def several(self, *names: str) -> list[tuple[str, str]]:
        """Return all that is said under some names, in the order it was said."""
        found = [(key, value) for key, value in self._items if key in names and len(value) <= _LONGEST_NAME]
        return found[:_MOST_NAMES]

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """Return what a form has to hand on: all that is asked, but for some."""
        asked = [("run", run) for run in self.runs] + [item for item in self._items if item[0] != "run"]
        return [(key, value) for key, value in asked if key not in without]

    def link(self, **changes: object) -> str:
        """Return a link to this page that asks for other things; None takes one out, a list says it again and again."""
        asked = self.kept(*changes)
        for name, value in changes.items():
            values: Sequence[object] = value if isinstance(value, list | tuple) else [value]
            asked += [(name, str(each)) for each in values if each not in (None, "")]
        return "?" + urlencode(asked)

    @property
    def here(self) -> str:
        """Return the query that names the runs and nothing else."""
        return "?" + urlencode([("run", run) for run in self.runs])
