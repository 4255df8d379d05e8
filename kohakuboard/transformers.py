"""The adapter for transformers, to import: `from kohakuboard.transformers import KohakuBoardCallback`."""

from __future__ import annotations

try:
    from kohakuboard_transformers import KohakuBoardCallback
except ModuleNotFoundError as exc:
    if str(exc.name).partition(".")[0] != "transformers":
        raise
    raise ModuleNotFoundError(
        'kohakuboard.transformers needs it; install it with: pip install "kohakuboard[transformers]"',
        name=exc.name,
    ) from exc

__all__ = ["KohakuBoardCallback"]
