"""The tabs of a run's page, one module and one template for each, in the order they are shown."""

from typing import Final

from starlette.exceptions import HTTPException

from . import (
    alerts,
    artifacts,
    charts,
    console,
    densities,
    environment,
    figures,
    histograms,
    media,
    overview,
    system,
    tables,
    tensors,
    text,
)
from .base import Ask, Paging, Steps, Tab

__all__ = ["TABS", "Ask", "Paging", "Steps", "Tab", "tab_of"]

TABS: Final[tuple[Tab, ...]] = (
    overview.TAB,
    charts.TAB,
    media.TAB,
    figures.TAB,
    histograms.TAB,
    densities.TAB,
    tensors.TAB,
    tables.TAB,
    text.TAB,
    artifacts.TAB,
    console.TAB,
    alerts.TAB,
    system.TAB,
    environment.TAB,
)


def tab_of(path: str) -> Tab:
    """Return the tab of a path. Raises HTTPException when there is none."""
    for tab in TABS:
        if tab.path == path:
            return tab
    raise HTTPException(404)
