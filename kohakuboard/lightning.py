"""The adapter for Lightning, to import: `from kohakuboard.lightning import KohakuBoardLogger`."""

from __future__ import annotations

try:
    from kohakuboard_lightning import KohakuBoardCallback, KohakuBoardLogger
except ModuleNotFoundError as exc:
    if str(exc.name).partition(".")[0] not in ("lightning", "lightning_utilities"):
        raise
    raise ModuleNotFoundError(
        'kohakuboard.lightning needs Lightning; install it with: pip install "kohakuboard[lightning]"',
        name=exc.name,
    ) from exc

__all__ = ["KohakuBoardCallback", "KohakuBoardLogger"]
