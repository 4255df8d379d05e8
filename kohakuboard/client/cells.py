"""Errors of notebook cells: the kernel lives on after them, so nobody's exit tells that a training failed."""

from __future__ import annotations

import builtins
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["CellWatch"]


class CellWatch:
    """Call a method after each cell of IPython that raised, until `stop`; outside of IPython do nothing.

    Args:
        on_error: A bound method, which gets the exception, or None after a cell that went well. It is held weakly.
    """

    def __init__(self, on_error: Callable[[BaseException | None], None]) -> None:
        self._on_error = weakref.WeakMethod(on_error)
        self._events: Any = None
        find_shell = getattr(builtins, "get_ipython", None)
        shell = find_shell() if find_shell is not None else None
        if shell is not None:
            self._events = shell.events
            self._events.register("post_run_cell", self._after_cell)

    def stop(self) -> None:
        """Watch no more."""
        events, self._events = self._events, None
        if events is not None:
            with suppress(ValueError):  # somebody has cleared all that was registered
                events.unregister("post_run_cell", self._after_cell)

    def _after_cell(self, result: Any) -> None:
        on_error = self._on_error()
        if on_error is None:
            self.stop()
        else:
            on_error(getattr(result, "error_in_exec", None))
