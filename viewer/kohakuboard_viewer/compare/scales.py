"""Where a value is on an axis of the plots of relations, and what stands beside it.

Shares are of the length of the axis, from 0 to 1. static/picked.js turns what is picked out into shares the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .. import present
from ..ticks import decades, round_numbers
from .values import Column

__all__ = ["Scale", "path"]

_WIDE: Final = 50  # times as high as low, and an axis is logarithmic
_TICKS: Final = 5
_APART: Final = 0.16  # of the axis: so wide is a number below it


@dataclass(frozen=True, slots=True)
class Scale:
    """Hold the ends of the axis of a column, in its unit; `log` tells whether equal lengths are equal ratios."""

    column: Column
    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, column: Column) -> Scale:
        """Return the axis that just holds all values."""
        places = [place for place in column.places if place is not None]
        low, high = min(places, default=0.0), max(places, default=1.0)
        if column.names:
            low, high = 0.0, len(column.names) - 1.0
        if low == high:
            low, high = low - 0.5, high + 0.5
        return cls(column, low, high, not column.names and low > 0 and high / low > _WIDE)

    def share(self, place: float) -> float:
        """Return where a value is."""
        if self.log:
            return math.log(place / self.low) / math.log(self.high / self.low)
        # By halves: the distance of two numbers may be more than a number can be.
        whole = self.high / 2 - self.low / 2
        return (place / 2 - self.low / 2) / whole if whole else 0.5

    def at(self, share: float) -> float:
        """Return the value that is at a share."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low * (1 - share) + self.high * share

    @property
    def step(self) -> float:
        """Return the share that a key moves an end of what is picked out."""
        return 1 / max(len(self.column.names) - 1, 1) if self.column.names else 0.05

    @property
    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield the shares that are labelled, and their labels: names, or both ends and round numbers between them."""
        if self.column.names:
            yield from ((self.share(place), name) for place, name in enumerate(self.column.names))
            return
        last = 0.0
        yield last, self.word(self.low)
        for place in self._round_numbers():
            share = self.share(place)
            if last + _APART <= share <= 1 - _APART:
                yield share, self.word(place)
                last = share
        yield 1.0, self.word(self.high)

    def _round_numbers(self) -> list[float]:
        """Return round numbers on the axis, and of whole numbers only such."""
        if self.log:
            return decades(self.low, self.high, _TICKS)
        found = round_numbers(self.low, self.high, _TICKS)
        whole = all(place is None or place.is_integer() for place in self.column.places)
        return [place for place in found if place.is_integer()] if whole else found

    def word(self, place: float) -> str:
        """Return a value in words."""
        names = self.column.names
        return names[round(place)] if names else present.number(float(f"{place:.4g}"))


def path(scales: Sequence[Scale], run: int) -> str:
    """Return the line of a run across the axes in shares, from the upper left; with gaps where a value is missing."""
    d, pen = "", "M"
    for i, scale in enumerate(scales):
        place = scale.column.places[run]
        if place is not None:
            x = i / (len(scales) - 1) if len(scales) > 1 else 0.5
            d += f"{pen}{x:.5g},{1 - scale.share(place):.5g}"
        pen = "M" if place is None else "L"
    return d
