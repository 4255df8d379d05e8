"""Tell how a run ended from the exception that ended it."""

from __future__ import annotations

import builtins
import sys
import traceback
from typing import Any

from ..journal.ending import cut_short
from .plain import LONGEST_TEXT, describe, storable_text

__all__ = ["end_of", "error_text", "is_in_kernel", "status_of", "uncaught_error"]


def status_of(error: BaseException | None) -> str:
    """Return the status of a run that ended with an exception, or without one."""
    # sys.exit() and sys.exit(0) are how programs end well.
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "finished"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def end_of(error: BaseException | None, under_way: str | None) -> tuple[str, str | None]:
    """Return the status of a run that ended with an exception, or without one, and why it ended so.

    Args:
        error: What it ended with.
        under_way: What had not come to its end by then.
    """
    status = status_of(error)
    if status != "finished":
        return status, error_text(error)
    return cut_short(under_way) if under_way is not None else (status, None)


def error_text(error: Any) -> str | None:
    """Return a traceback, or whatever else says why a run failed, as text."""
    if isinstance(error, SystemExit):
        error = f"exit code {error.code}" if isinstance(error.code, int) else error.code
    if isinstance(error, BaseException):
        try:
            # The end of a traceback says what happened.
            error = "".join(traceback.format_exception(error))
        except Exception:  # noqa: BLE001  (a user's own exception may raise anything when it is printed)
            return describe(error)
    if error is None:
        return None
    return storable_text(error[-LONGEST_TEXT:]) if isinstance(error, str) else describe(error)


def uncaught_error() -> BaseException | None:
    """Return the exception that ends this program, seen from an exit handler."""
    # In a notebook or a shell the last error may be hours old, and was the cell's, not the run's.
    if hasattr(sys, "ps1") or _has_shell():
        return None
    return getattr(sys, "last_exc", getattr(sys, "last_value", None))


def is_in_kernel() -> bool:
    """Tell whether this program is the kernel of a notebook."""
    return _has_shell() and "ipykernel" in sys.modules


def _has_shell() -> bool:
    return hasattr(builtins, "get_ipython")
