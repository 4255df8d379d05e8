"""Counts in one byte each: a float of 5 bits of exponent and 3 of mantissa, without a sign.

code < 8    the count itself
code ≥ 8    (8 + code % 8) << (code // 8 - 1)

Counts up to 16 are exact, larger ones are rounded to the nearest that there is, which is off by at most 6 %.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["codes_of", "counts_of"]

_CODES: Final = np.arange(256, dtype=np.int64)
_COUNTS: Final = np.where(_CODES < 8, _CODES, (8 + _CODES % 8) << np.maximum(_CODES // 8 - 1, 0))
_BETWEEN: Final = (_COUNTS[:-1] + _COUNTS[1:]) / 2


def codes_of(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the codes that are nearest to counts; the largest is 16 thousand millions."""
    return np.searchsorted(_BETWEEN, counts).astype(np.uint8)


def counts_of(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the counts that codes stand for."""
    counts: NDArray[np.int64] = _COUNTS[codes]
    return counts
