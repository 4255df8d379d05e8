"""How strongly one value goes up or down with another: Spearman's rank correlation.

Of n pairs of values the ranks are taken, equal values sharing the mean of theirs, and of the ranks Pearson's
correlation: 1 where one rises whenever the other does, -1 where it falls, about 0 where they know nothing of each
other. It says nothing of causes, and nothing of what two values do together.

Spearman, C. (1904). The proof and measurement of association between two things. American Journal of Psychology 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_PAIRS", "rank_correlation", "ranks_of"]

LEAST_PAIRS: Final = 3  # two of them always agree or disagree wholly

Floats = npt.NDArray[np.float64]


def rank_correlation(one: Sequence[float | None], other: Sequence[float | None]) -> tuple[float | None, int]:
    """Return the correlation of two lists of the same length, and of how many pairs it is.

    A pair counts when both of its values are there and none of them is NaN. The correlation is None when there are
    fewer than three, or when one value is the same in all of them.
    """
    a, b = (
        np.array([np.nan if value is None else value for value in values], float) for values in (one, other)
    )
    known = ~(np.isnan(a) | np.isnan(b))
    n = int(known.sum())
    if n < LEAST_PAIRS:
        return None, n
    x, y = ranks_of(a[known]), ranks_of(b[known])
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return (float(np.clip((x @ y) / size, -1, 1)), n) if size > 0 else (None, n)


def ranks_of(values: Floats) -> Floats:
    """Return the ranks of values from 1 on, of equal ones the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
