"""Turn what users log as a scalar into a float, by protocol: no framework is imported to be recognised."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["NotAScalarError", "to_float"]


class NotAScalarError(TypeError):
    """Say why a value is no scalar, and what to log instead. Caught in `log`; users read it as a warning."""


def to_float(value: Any) -> float:
    """Return the number that a Python or NumPy scalar, or a tensor or array of one element, holds.

    Any framework's tensor works that has `shape` and `item()`. Raises NotAScalarError for all else; NaN and
    infinities are numbers.
    """
    if isinstance(value, str | bytes):
        raise NotAScalarError("text is not a scalar; put it into board.config or board.summary")
    if value is None:
        raise NotAScalarError("None is not a scalar; leave the key out, or log float('nan')")
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "item"):
        value = _only_element(value, tuple(shape))
    if isinstance(value, complex):
        raise NotAScalarError("a complex number is not a scalar; log its .real and .imag, or abs() of it")
    try:
        return float(value)
    except OverflowError:
        raise NotAScalarError("the integer is too large for a float64; log its logarithm") from None
    except Exception as exc:
        raise NotAScalarError(_cure(value, exc)) from exc


def _only_element(value: Any, shape: tuple[int, ...]) -> Any:
    size = math.prod(shape)
    if size != 1:
        raise NotAScalarError(
            f"it has {size} elements (shape {shape}); log its .mean(), or a Histogram of it"
        )
    item = value.item()
    if isinstance(item, str | bytes):
        raise NotAScalarError("text is not a scalar; put it into board.config or board.summary")
    return item


def _cure(value: Any, error: Exception) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return "a sequence is not a scalar; log one key for each number, or a Histogram of them"
    if isinstance(value, dict):
        return "a nested dict is not a scalar; flatten it to keys such as 'train/loss'"
    return f"it cannot be turned into a float ({error}); log a number"
