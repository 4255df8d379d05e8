"""The adapter for Accelerate, to import: `from kohakuboard.accelerate import KohakuBoardTracker`."""

from __future__ import annotations

try:
    from kohakuboard_accelerate import KohakuBoardTracker
except ModuleNotFoundError as exc:
    if str(exc.name).partition(".")[0] != "accelerate":
        raise
    raise ModuleNotFoundError(
        'kohakuboard.accelerate needs Accelerate; install it with: pip install "kohakuboard[accelerate]"',
        name=exc.name,
    ) from exc

__all__ = ["KohakuBoardTracker"]
