"""What a tab of the page that compares runs is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..shelf import Shelf
from .ask import RunsAsk
from .runs import Gathered

__all__ = ["View"]


@dataclass(frozen=True, slots=True)
class View:
    """Describe a tab; its template is templates/compare/<path>.html.

    Args:
        path: What the address ends with, "" for the first one.
        title: What people read.
        show: Returns what its template needs.
    """

    path: str
    title: str
    show: Callable[[Shelf, Gathered, RunsAsk], Mapping[str, Any]]

    @property
    def template(self) -> str:
        """Return the name of the template."""
        return f"compare/{self.path or 'overview'}.html"
