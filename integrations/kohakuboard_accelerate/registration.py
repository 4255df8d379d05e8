"""Make `Accelerator(log_with="kohakuboard")` known to Accelerate.

The autoload hook calls it, see ../_kohakuboard_hook.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, Final

__all__ = ["NAME", "register"]

NAME: Final = "kohakuboard"


def register(module: ModuleType) -> None:
    """Add the tracker to what `accelerate.tracking` offers, unless it has one of that name."""
    known: dict[str, Any] = module.LOGGER_TYPE_TO_CLASS
    if NAME in known:
        return
    from .tracker import KohakuBoardTracker

    known[NAME] = KohakuBoardTracker
    available: list[Any] = module.get_available_trackers()
    available.append(NAME)
    if not hasattr(module, "register_tracker_class"):
        module.filter_trackers = _knowing_us(module.filter_trackers)  # type: ignore[attr-defined]
        # It took the name over, if it was imported before kohakuboard.
        if (user := sys.modules.get("accelerate.accelerator")) is not None:
            user.filter_trackers = module.filter_trackers  # type: ignore[attr-defined]


def _knowing_us(filter_trackers: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Return what lets our name pass where Accelerate, before 1.15, knows only its own."""

    @wraps(filter_trackers)
    def with_ours(log_with: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if log_with is None:
            return filter_trackers(log_with, *args, **kwargs)
        wanted = list(log_with) if isinstance(log_with, (list, tuple)) else [log_with]
        others = [tracker for tracker in wanted if tracker != NAME]
        found = filter_trackers(others, *args, **kwargs) if others else []
        return found if len(others) == len(wanted) else [*found, NAME]

    return with_ours
