"""Smooth a curve over every point and not over the points of the screen.

A weight w from 0 to 1 says how much, for each way of it the same: the noise of independent values is made as much less
as the exponential moving average makes it, by (1 - w) / (1 + w) of its variance.

    ema     s_t = Σ w^(t-i) · v_i / Σ w^(t-i) over i ≤ t: the usual recursion s ← w·s + (1 - w)·v, divided by 1 - w^t so
            that it does not start at zero (the bias correction of Adam, https://arxiv.org/abs/1412.6980, section 3)
    time    the same with w^((x_t - x_i) / d) in place of w^(t-i), d being the median distance of neighbours on the x
            axis: what was logged at uneven times counts by when it was
    mean    the mean of a window of (1 + w) / (1 - w) points around each
    gauss   the mean weighed by a normal distribution around each, whose σ is (1 + w) / (1 - w) / 2√π points

Only ema and time never change what they said of earlier points. What is not finite is passed over.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["WAYS", "Smoothing", "Way", "moving_average", "smoothed"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Way = Literal["ema", "time", "mean", "gauss"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)

# The recursion runs as one matrix product over blocks, and again over the ends of the blocks: 1M points take
# 20 ms.
_BLOCK: Final = 64
_NEGLIGIBLE: Final = math.log(2.0**-54)
_TAILS: Final = 4.0  # σ; beyond lies 6e-5 of a normal distribution


class Smoothing(NamedTuple):
    """Say how to smooth, and how much: 0 < weight < 1."""

    way: Way
    weight: float

    @property
    def window(self) -> int:
        """Return how many points a moving window has: odd, so that it has a middle."""
        return 2 * round(self.weight / (1 - self.weight)) + 1

    @property
    def sigma(self) -> float:
        """Return the width of the normal distribution, in points."""
        return (1 + self.weight) / (1 - self.weight) / (2 * math.sqrt(math.pi))


def smoothed(x: Ints, values: Floats, smoothing: Smoothing) -> Floats:
    """Return the average at each of n points, whose x rise; NaN where the value is not finite."""
    finite = np.isfinite(values)
    kept = values[finite]
    if not len(kept):
        return np.full(len(values), np.nan)
    if smoothing.way == "ema":
        averages = moving_average(kept, smoothing.weight)
    elif smoothing.way == "time":
        averages = _timed_average(x[finite], kept, smoothing.weight)
    elif smoothing.way == "mean":
        averages = _window_means(kept, smoothing.window)
    else:
        averages = _gaussian(kept, smoothing.sigma)
    if len(kept) == len(values):
        return averages
    spread = np.full(len(values), np.nan)
    spread[finite] = averages
    return spread


def moving_average(values: Floats, weight: float) -> Floats:
    """Return the exponential moving average at each of n finite points; 0 < weight < 1."""
    averages = _decaying_sums((1 - weight) * values, weight)
    # Beyond these 1 - weight^t is 1, and powers take longer than all the rest.
    young = min(len(values), math.ceil(_NEGLIGIBLE / math.log(weight)))
    averages[:young] /= 1 - weight ** np.arange(1.0, young + 1)
    return averages


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


def _timed_average(x: Ints, values: Floats, weight: float) -> Floats:
    if len(values) < 2:
        return np.array(values)
    gaps = np.diff(x.astype(np.float64))
    rising = gaps[gaps > 0]
    typical = float(np.median(rising)) if len(rising) else 1.0
    decays = np.concatenate(([0.0], weight ** (gaps / typical)))
    averages: Floats = _uneven_sums(values, decays) / _uneven_sums(np.ones(len(values)), decays)
    return averages


def _uneven_sums(values: Floats, decays: Floats) -> Floats:
    """Return s of s_t = decay_t · s_(t-1) + v_t by doubling: at each pass sums reach back twice as far."""
    sums, decays = np.array(values), np.array(decays)
    reach = 1
    while reach < len(sums) and bool(np.any(decays[reach:] > math.exp(_NEGLIGIBLE))):
        sums[reach:] += decays[reach:] * sums[:-reach]
        decays[reach:] *= decays[:-reach].copy()
        decays[:reach] = 0.0
        reach *= 2
    return sums


def _window_means(values: Floats, window: int) -> Floats:
    """Return the mean of the window around each point, of what there is of it at the ends.

    By sums to the left and to the right in blocks as long as the window, of which each window is two: a value that
    dwarfs all others spoils only the windows it is in, where the difference of two running totals would stay spoilt.
    """
    n, half = len(values), window // 2
    blocks = np.zeros((-(-(n + 2 * half) // window), window))
    blocks.reshape(-1)[half : half + n] = values
    with np.errstate(over="ignore", invalid="ignore"):
        before = np.cumsum(blocks, axis=1).reshape(-1)
        after = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].reshape(-1)
        first = np.arange(n)
        # A window that is a block is both of them.
        sums = np.where(first % window == 0, after[:n], after[:n] + before[first + window - 1])
    count = np.minimum(first + half, n - 1) - np.maximum(first - half, 0) + 1
    means: Floats = sums / count
    return means


def _gaussian(values: Floats, sigma: float) -> Floats:
    reach = min(math.ceil(_TAILS * sigma), max(len(values) - 1, 0))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = np.concatenate(([0.0], np.cumsum(kernel)))
    first = np.arange(len(values))
    # What of the kernel lies on points, at the ends.
    low, high = np.maximum(reach - first, 0), np.minimum(reach + len(values) - first, 2 * reach + 1)
    means: Floats = np.convolve(values, kernel, "full")[reach : reach + len(values)] / (
        weights[high] - weights[low]
    )
    return means
