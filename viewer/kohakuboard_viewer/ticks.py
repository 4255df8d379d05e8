"""Choose the numbers that stand beside an axis."""

from __future__ import annotations

import math

__all__ = ["decades", "round_numbers"]


def round_numbers(low: float, high: float, about: int) -> list[float]:
    """Return about so many multiples of 1, 2 or 5 times a power of ten; the ends where there are none."""
    rough = high / about - low / about
    if not (math.isfinite(rough) and rough > 0):
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)
    if not (step and math.isfinite(low / step)):
        return [low, high]
    first = math.ceil(low / step)
    return [float(f"{(first + i) * step:.12g}") for i in range(2 * about) if (first + i) * step <= high]


def decades(low: float, high: float, about: int) -> list[float]:
    """Return powers of ten, or about so many of them; the ends where there are none."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    stride = max((last - first) // about, 1)
    return [10.0**power for power in range(first, last + 1, stride)] or [low, high]
