"""Turn configuration of any shape into what JSON can hold, without changing the original."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Final

__all__ = ["describe", "plain", "storable_text"]

DEEPEST: Final = 32
LONGEST_TEXT: Final = 100_000
INT64: Final = range(-(2**63), 2**63)


def plain(value: Any, depth: int = 0) -> Any:
    """Return a copy made of dict, list, str, int, float, bool and None only.

    Mappings, dataclasses and Namespaces become dicts with string keys, sequences and small arrays lists, numbers of
    any framework Python numbers, paths strings; NaN and infinities their names, integers beyond 64 bits their digits;
    classes and functions their qualified names (nothing is called); all else its repr, cut at LONGEST_TEXT characters.
    Raises nothing: what fails when it is looked at becomes its repr, too.
    """
    if value is None or isinstance(value, bool):
        return value
    try:
        if isinstance(value, str):
            return storable_text(str(value)[:LONGEST_TEXT])
        if isinstance(value, int):
            return number if (number := int(value)) in INT64 else describe(number)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        return _plain_container(value, depth) if depth < DEEPEST else describe(value)
    except Exception:  # noqa: BLE001  (a user's own object may raise anything when it is looked at)
        return describe(value)


def describe(value: Any) -> str:
    """Return the repr of anything, cut at LONGEST_TEXT characters, and raise nothing."""
    try:
        return storable_text(repr(value)[:LONGEST_TEXT])
    except Exception:  # noqa: BLE001  (a user's own __repr__ may raise anything)
        return f"<{type(value).__name__} without a repr>"


def storable_text(text: str) -> str:
    """Return text that UTF-8 can hold: halves of surrogate pairs, as in names of files, become escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _plain_container(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    return _plain_object(value, depth)


def _plain_object(value: Any, depth: int) -> Any:
    if isinstance(value, PathLike):
        return plain(str(fspath(value)))
    if isinstance(value, type) or callable(value):
        return (
            f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
        )
    # By its mark: importing dataclasses would cost every `import kohakuboard` 4 ms.
    if names := getattr(value, "__dataclass_fields__", None):
        return plain({name: getattr(value, name, None) for name in names}, depth + 1)
    if hasattr(value, "tolist") and hasattr(value, "shape") and math.prod(value.shape) <= 1000:
        return plain(value.tolist(), depth + 1)
    if type(value).__name__ == "Namespace" or type(value).__name__ == "SimpleNamespace":
        return plain(vars(value), depth + 1)
    return describe(value)


def _key(key: Any) -> str:
    return storable_text(str(key))
