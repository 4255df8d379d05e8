"""Where the points of a curve are, rising: as they are, or as a rule where they are evenly spaced, as steps mostly are.

A rule takes no memory, and that counts: 100 curves of 1M points are 800 MB of values, and would be 1.6 GB with their x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, overload

import numpy as np
import numpy.typing as npt

from .growing import Growing

__all__ = ["Even", "Positions", "Uneven", "positions_of"]

Ints = npt.NDArray[np.int64]

# Within these no arithmetic on positions leaves int64.
_WIDEST: Final = 2**40
_FARTHEST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Even:
    """Stand for first, first + stride, …: `count` of them."""

    first: int
    stride: int
    count: int

    @property
    def nbytes(self) -> int:
        """Return the memory this takes beside the object."""
        return 0

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, which: int) -> int: ...
    @overload
    def __getitem__(self, which: Ints | slice) -> Ints: ...
    def __getitem__(self, which: int | Ints | slice) -> int | Ints:
        if isinstance(which, slice):
            begin, end, _ = which.indices(self.count)
            return self.first + self.stride * np.arange(begin, max(begin, end))
        return self.first + self.stride * which

    def at_least(self, x: int) -> int:
        """Return the index of the first position that is x or more."""
        return min(max(-((self.first - x) // self.stride), 0), self.count)

    def beyond(self, x: int) -> int:
        """Return the index of the first position that is more than x."""
        return min(max((x - self.first) // self.stride + 1, 0), self.count)

    def borders(self, begin: int, end: int, shift: int) -> Ints:
        """Return `begin`, each index after it where a bucket 2^shift wide begins, and `end`."""
        if self.stride >> shift:  # no two points share a bucket
            return np.arange(begin, end + 1)
        numbers = np.arange((self[begin] >> shift) + 1, (self[end - 1] >> shift) + 1)
        return np.concatenate(([begin], -((self.first - (numbers << shift)) // self.stride), [end]))

    def grown(self, x: Ints) -> Even | Uneven:
        """Return the positions with some behind them, none of which is less than the last: what `positions_of` does."""
        grown, last = Even(self.first, self.stride, self.count + len(x)), int(x[-1])
        is_even = last - self.first < _FARTHEST and grown[len(grown) - 1] == last
        if is_even and np.array_equal(grown[self.count :], x):
            return grown
        return Uneven(self[:]).grown(x)


class Uneven:
    """Hold positions as they are."""

    __slots__ = ("_growing", "x")

    def __init__(self, x: Ints | Growing[np.int64]) -> None:
        self._growing = x if isinstance(x, Growing) else Growing(x)
        self.x = self._growing.array

    @property
    def nbytes(self) -> int:
        """Return the memory this takes beside the object."""
        return self._growing.nbytes

    def __len__(self) -> int:
        return len(self.x)

    @overload
    def __getitem__(self, which: int) -> int: ...
    @overload
    def __getitem__(self, which: Ints | slice) -> Ints: ...
    def __getitem__(self, which: int | Ints | slice) -> int | Ints:
        if isinstance(which, int):
            return int(self.x[which])
        found: Ints = self.x[which]
        return found

    def at_least(self, x: int) -> int:
        """Return the index of the first position that is x or more."""
        return int(np.searchsorted(self.x, x, "left"))

    def beyond(self, x: int) -> int:
        """Return the index of the first position that is more than x."""
        return int(np.searchsorted(self.x, x, "right"))

    def borders(self, begin: int, end: int, shift: int) -> Ints:
        """Return `begin`, each index after it where a bucket 2^shift wide begins, and `end`."""
        numbers = self.x[begin:end] >> shift
        return np.concatenate(([begin], begin + 1 + np.flatnonzero(numbers[1:] != numbers[:-1]), [end]))

    def grown(self, x: Ints) -> Uneven:
        """Return the positions with some behind them, none of which is less than the last: at least two are there."""
        return Uneven(self._growing.grown(x))


Positions = Even | Uneven


def positions_of(x: range | Ints) -> Positions:
    """Return positions, which rise, in the form that takes the least memory."""
    if isinstance(x, range):
        even = Even(x.start, x.step, len(x))
        return even if x.step < _WIDEST and x[-1] - x[0] < _FARTHEST else Uneven(even[:])
    if len(x) > 1:
        first, stride, last = int(x[0]), int(x[1]) - int(x[0]), int(x[-1])
        # Told by its ends first: the differences of a curve that is not even may be beyond int64.
        if 0 < stride < _WIDEST and last - first < _FARTHEST and first + stride * (len(x) - 1) == last:
            even = Even(first, stride, len(x))
            if np.array_equal(even[:], x):
                return even
    return Uneven(x)
