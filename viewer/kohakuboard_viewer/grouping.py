"""Put runs with the same values together: how many there are, and mean and standard deviation of what they came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .column import Column

__all__ = ["Groups", "Spread", "group"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Hold of each group the mean, the standard deviation (n - 1) and how many numbers there were; NaN is left out."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Hold which group each row belongs to, in the order of their first rows.

    Args:
        of_row: The number of the group of each row.
        first: The place of the first row of each group.
    """

    of_row: NDArray[np.int64]
    first: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return how many rows each group has."""
        return np.bincount(self.of_row, minlength=len(self))

    def spread(self, column: Column) -> Spread:
        """Return what the numbers of a column come to in each group."""
        known = column.is_number & ~np.isnan(column.numbers)
        groups, numbers = self.of_row[known], column.numbers[known]
        count = np.bincount(groups, minlength=len(self))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            mean = np.bincount(groups, numbers, len(self)) / count
            squares = np.bincount(groups, (numbers - mean[groups]) ** 2, len(self))
            std = np.sqrt(squares / np.where(count > 1, count - 1, np.nan))
        return Spread(mean, std, count)

    def texts(self, column: Column) -> list[set[int]]:
        """Return which of the texts of a column each group has."""
        found: list[set[int]] = [set() for _ in range(len(self))]
        for number, code in {*zip(self.of_row.tolist(), column.codes.tolist(), strict=True)}:
            if code >= 0:
                found[number].add(code)
        return found


def group(columns: Sequence[Column], n_rows: int) -> Groups:
    """Group rows by the values of one or more columns; having no value is a value, too."""
    of_row = np.zeros(n_rows, np.int64)
    for column in columns:
        # NaN equals itself here; texts and what is missing have no number.
        _, number = np.unique(column.numbers, return_inverse=True)
        kinds = np.where(column.is_number, -2, column.codes).astype(np.int64)
        for part in (number, kinds - kinds.min(initial=0)):
            _, of_row = np.unique(of_row * (int(part.max(initial=0)) + 1) + part, return_inverse=True)
    _, first, of_row = np.unique(of_row, return_index=True, return_inverse=True)
    order = np.argsort(first)
    renamed = np.empty_like(order)
    renamed[order] = np.arange(len(order))
    return Groups(renamed[of_row], first[order])
