"""Smooth a curve by its exponential moving average, over every point and not over the points of the screen.

With weight w and values v_1 … v_t the average is

    s_t = Σ w^(t-i) · v_i / Σ w^(t-i)        i = 1 … t

that is, the usual recursion s ← w·s + (1 - w)·v, divided by 1 - w^t so that it does not start at zero (the
bias correction of Adam, https://arxiv.org/abs/1412.6980, section 3). What is not finite is passed over.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["moving_average"]

Floats = npt.NDArray[np.float64]

# The recursion runs as one matrix product over blocks, and again over the ends of the blocks: 1M points take
# 20 ms.
_BLOCK: Final = 64
_NEGLIGIBLE: Final = math.log(2.0**-54)


def moving_average(values: Floats, weight: float) -> Floats:
    """Return the average at each of n points, NaN where the value is not finite; 0 ≤ weight < 1."""
    if weight == 0:
        return np.where(np.isfinite(values), values, np.nan)
    finite = np.isfinite(values)
    kept = values[finite]
    averages = _decaying_sums((1 - weight) * kept, weight)
    # Beyond these 1 - weight^t is 1, and powers take longer than all the rest.
    young = min(len(kept), math.ceil(_NEGLIGIBLE / math.log(weight)))
    averages[:young] /= 1 - weight ** np.arange(1.0, young + 1)
    if len(kept) == len(values):
        return averages
    spread = np.full(len(values), np.nan)
    spread[finite] = averages
    return spread


def _decaying_sums(values: Floats, weight: float) -> Floats:
    """Return s of s_t = weight · s_(t-1) + v_t, with s_0 = 0."""
    n = len(values)
    blocks = np.zeros((-(-n // _BLOCK), _BLOCK))
    blocks.reshape(-1)[:n] = values
    sums = blocks @ _triangle(weight)
    if len(blocks) > 1:
        carried = _decaying_sums(sums[:-1, -1], weight**_BLOCK)
        sums[1:] += np.outer(carried, weight ** np.arange(1.0, _BLOCK + 1))
    return sums.reshape(-1)[:n]


def _triangle(weight: float) -> Floats:
    """Return the matrix that adds to each point of a block the decayed points before it."""
    power = np.arange(_BLOCK)[None, :] - np.arange(_BLOCK)[:, None]
    return np.where(power >= 0, weight ** np.maximum(power, 0).astype(np.float64), 0.0)
