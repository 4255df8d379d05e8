"""The tabs of a run's page, one module and one template for each, in the order they are shown."""

from typing import Final

from starlette.exceptions import HTTPException

from . import charts, console, histograms
from .base import Ask, Paging, Steps, Tab

__all__ = ["TABS", "Ask", "Paging", "Steps", "Tab", "tab_of"]

TABS: Final[tuple[Tab, ...]] = (charts.TAB, histograms.TAB, console.TAB)


def tab_of(path: str) -> Tab:
    """Return the tab of a path. Raises HTTPException when there is none."""
    for tab in TABS:
        if tab.path == path:
            return tab
    raise HTTPException(404)
