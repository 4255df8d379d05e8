"""One column of the table of runs: its numbers in one array, its texts as numbers into a list of the different ones.

So a comparison is one operation of numpy, and a regular expression is tried once on each text that there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from . import present

__all__ = ["Column", "number_text"]

Mask = NDArray[np.bool_]

# What a column mostly has, and is taken at once.
_NUMBERS: Final = {float, int, type(None)}
_TEXTS: Final = {str, type(None)}
_LARGEST: Final = 2**1000  # numpy refuses a whole number beyond what a float can be


def number_text(value: float) -> str:
    """Return a number as a regular expression sees it: whole ones without a point."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


@dataclass(frozen=True)
class Column:
    """Hold the values of a field of all runs: each a number, one or more texts, or missing.

    Args:
        numbers: The numbers, NaN elsewhere.
        is_number: Where there is one.
        codes: Which of `texts` is there, -1 for none.
        texts: The different texts; each a tuple, as a run can have several tags.
    """

    numbers: NDArray[np.float64]
    is_number: Mask
    codes: NDArray[np.int32]
    texts: Sequence[tuple[str, ...]]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Column:
        """Make a column of what was logged."""
        empty = cls(np.empty(0), np.empty(0, np.bool_), np.empty(0, np.int32), [])
        return empty.moved(np.full(len(values), -1), np.arange(len(values)), values)

    def moved(self, source: NDArray[np.int64], fresh: NDArray[np.int64], values: Sequence[Any]) -> Column:
        """Return the column of a newer table.

        Args:
            source: For each row the place where it was, -1 for a new one.
            fresh: The places of the new rows.
            values: Their values.
        """
        numbers, codes = np.full(len(source), math.nan), np.full(len(source), -1, np.int32)
        is_number = np.zeros(len(source), np.bool_)
        kept = source >= 0
        if kept.any():
            old = source[kept]
            numbers[kept], codes[kept] = self.numbers[old], self.codes[old]
            is_number[kept] = self.is_number[old]
        places = {text: place for place, text in enumerate(self.texts)}
        kinds = set(map(type, values))
        if kinds <= _NUMBERS and not (int in kinds and _too_large(values)):
            numbers[fresh] = np.array(values, dtype=np.float64)  # None becomes NaN
            is_number[fresh] = [value is not None for value in values] if type(None) in kinds else True
        elif kinds <= _TEXTS:
            codes[fresh] = [
                -1 if value is None else places.setdefault((value,), len(places)) for value in values
            ]
        else:
            codes[fresh] = [_code(value, places) for value in values]
            for row, value in zip(fresh.tolist(), values, strict=True):
                if _is_number(value):
                    numbers[row], is_number[row] = _float(value), True
        return Column(numbers, is_number, codes, list(places))

    def take(self, rows: NDArray[np.int64]) -> Column:
        """Return the column of some rows."""
        return Column(self.numbers[rows], self.is_number[rows], self.codes[rows], self.texts)

    def where_text(self, test: Callable[[str], bool]) -> Mask:
        """Return where a text passes a test, one of several."""
        hits = [any(map(test, each)) for each in self.texts]
        return self.where_texts(np.array(hits, dtype=np.bool_))

    def where_texts(self, hits: Mask) -> Mask:
        """Return where a text is that is hit, given for each of the different ones."""
        found = np.append(hits, False)
        mask: Mask = found[self.codes]  # -1 is the last
        return mask

    @cached_property
    def flat(self) -> tuple[pa.StringArray, NDArray[np.int64]]:
        """Return all texts one behind the other, to look through them at once, and of which of `texts` each is."""
        texts = [text.encode("utf-8", "replace") for each in self.texts for text in each]
        sizes = np.array([len(each) for each in self.texts], dtype=np.int64)
        of = np.repeat(np.arange(len(sizes)), sizes)
        return pa.array(texts, pa.binary()).cast(pa.string()), of

    def where_flat(self, hits: Mask) -> Mask:
        """Return where one of several texts is hit, given for each of `flat`."""
        found = np.zeros(len(self.texts), np.bool_)
        found[self.flat[1][hits]] = True
        return self.where_texts(found)

    @cached_property
    def missing(self) -> Mask:
        """Return where there is no value."""
        mask: Mask = ~self.is_number & (self.codes < 0)
        return mask

    @cached_property
    def varies(self) -> bool:
        """Tell whether two rows differ; a row without a value differs from none."""
        there = ~self.missing
        if not there.any():
            return False
        numbers, codes = self.numbers[there], self.codes[there]
        same = (numbers == numbers[0]) | (np.isnan(numbers) & math.isnan(numbers[0]))
        return not bool((same & (codes == codes[0])).all())

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """Return the place of each row's text in alphabetical order, whatever the case of letters."""
        order = sorted(range(len(self.texts)), key=lambda place: [t.casefold() for t in self.texts[place]])
        ranks = np.empty(len(order) + 1, np.int64)
        ranks[order] = np.arange(len(order))
        ranks[-1] = len(order)
        found: NDArray[np.int64] = ranks[self.codes]
        return found

    def order(self, *, descending: bool) -> NDArray[np.int64]:
        """Return the rows in order: numbers, then texts, then NaN, and those without a value at the end."""
        nan = self.is_number & np.isnan(self.numbers)
        kind = np.where(self.missing, 3, np.where(nan, 2, np.where(self.is_number, 0, 1)))
        numbers = np.where(np.isnan(self.numbers), 0.0, self.numbers)
        sign = -1 if descending else 1
        found: NDArray[np.int64] = np.lexsort((sign * self.rank, sign * numbers, kind))
        return found


def _too_large(values: Sequence[Any]) -> bool:
    return any(type(value) is int and abs(value) > _LARGEST for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _code(value: object, places: dict[tuple[str, ...], int]) -> int:
    """Return the number of a text, a new one if it is new; -1 for what is none."""
    if value is None or _is_number(value):
        return -1
    text = value if isinstance(value, tuple) else (_text(value),)
    return places.setdefault(text, len(places))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 1024 bits
        return math.inf if value > 0 else -math.inf


def _text(value: object) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else present.plain(value)
