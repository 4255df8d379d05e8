"""Tell what it is that a user logs: rich values, or which integer a step is; and pack what is rich into a record."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from .rich import Rich
from .rich.bare import wrapped
from .rich.base import Unusable

__all__ = ["encode_rich", "rich_values", "type_name", "whole_number"]


def rich_values(value: Any) -> Sequence[Rich]:
    """Return the rich values in a value: itself, or a sequence's; none if it is something else.

    Images and figures of other libraries count as what is made of them.
    """
    if isinstance(value, Rich):
        return [value]
    if isinstance(value, list | tuple):
        return _all_rich(value)
    made = wrapped(value)
    return () if made is None else [made]


def _all_rich(values: Sequence[Any]) -> Sequence[Rich]:
    """Return the rich values of a sequence, with one that cannot be logged for each that is something else."""
    found = [value if isinstance(value, Rich) else wrapped(value) for value in values]
    if all(one is None for one in found):
        return ()
    return [Unusable(value) if one is None else one for one, value in zip(found, values, strict=True)]


def encode_rich(scalars: dict[str, float], items: list[dict[str, Any]]) -> bytes:
    """Return the payload of a rich record."""
    # Here, and not at the top: it costs 40 ms that a run of scalars alone need not pay.
    import msgspec

    return msgspec.msgpack.encode({"scalars": scalars, "items": items})


def type_name(value: Any) -> str:
    """Return the name of a value's type, with its module if that is not Python's own."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def whole_number(value: Any) -> int | None:
    """Return the integer that any framework's integer is, or a float of that value; None for all else."""
    try:
        return int(index(value))
    except Exception:  # noqa: BLE001  (the boundary: a user's own object may raise anything)
        pass
    try:
        return number if not isinstance(value, str | bytes) and (number := int(value)) == value else None
    except Exception:  # noqa: BLE001  (as above)
        return None
