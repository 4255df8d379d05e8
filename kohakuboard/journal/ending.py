"""What it means for a run that its program ended too early."""

from __future__ import annotations

__all__ = ["cut_short"]


def cut_short(under_way: str) -> tuple[str, str]:
    """Return the status of a run whose program ended well, but had something under way, and the reason."""
    return "interrupted", f"the program ended while {under_way} was under way"
