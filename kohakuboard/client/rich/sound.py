"""Look at arrays of sound as they are, and hand their bytes over; the writer makes WAV of them."""

from __future__ import annotations

from operator import index
from typing import Any, Final

from ...errors import RichValueError
from ...journal.stage import Stage
from .base import array_item
from .pixels import LARGEST_BYTES, numbers, too_large

__all__ = ["sound_item", "valid_rate"]

MOST_CHANNELS: Final = 16
_KINDS: Final = ("u1", "i2", "i4")


def valid_rate(rate: Any) -> int:
    """Return the samples a second. Raises RichValueError when that cannot be."""
    try:
        number = int(index(rate))
    except TypeError:
        number = int(rate) if isinstance(rate, float) and rate.is_integer() else 0
    if not 1 <= number <= 1_000_000:
        raise RichValueError(
            "Media", rate, f"sample_rate must be the samples a second, such as 44100, not {rate!r}"
        )
    return number


def sound_item(value: Any, stage: Stage) -> dict[str, Any]:
    """Return what stands for samples: n, n × channels, or channels × n."""
    array = numbers("Media", value)
    if array.ndim not in (1, 2) or array.size == 0 or (array.ndim == 2 and min(array.shape) > MOST_CHANNELS):
        reason = f"its shape is {array.shape}; audio is n, n × channels or channels × n samples"
        raise RichValueError("Media", value, reason)
    if array.dtype.kind != "f" and array.dtype.str[1:] not in _KINDS:
        raise RichValueError(
            "Media", value, f"its dtype is {array.dtype}; pass floats from -1 to 1, or int16"
        )
    if array.nbytes > LARGEST_BYTES:
        raise RichValueError("Media", value, too_large(array.nbytes))
    first = array.ndim == 2 and array.shape[0] < array.shape[1]
    return {**array_item(array, stage), "layout": "CN" if first else "NC"}
