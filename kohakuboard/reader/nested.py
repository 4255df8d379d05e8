"""Walk the nested values of a config, a summary or an environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["leaves"]

# What is nested deeper is one leaf.
DEEPEST: Final = 12


def leaves(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts by their paths, as ("optimizer.lr", 0.001).

    A list is one leaf, and so is an empty dict, or one more than DEEPEST levels down.
    """
    for key, value in values.items():
        if isinstance(value, dict) and value and depth < DEEPEST:
            yield from leaves(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value
