"""Say of each value in which bin it is, a byte for each: a quarter of a float32 to hand over, and the writer counts.

    place of a value   (value - lowest) * bins / (highest - lowest), rounded down
    bins               that of the highest, which belongs to the last bin
    bins + 1, 2, 3     those of NaN, +inf and -inf

It is computed in the type of the values, so what lies within the rounding of a float32 of an edge may get the place
beside it. Small arrays are worked on together: for one of 1 000 values the calls alone take longer than the numbers.
Others are read by the block, each of which is in a core's cache from one operation to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ...journal.bins import Extent, splittable
from ...journal.dtypes import values_of
from .numbers import Numbers

__all__ = ["Placed", "Places"]

# Values of an array that is worked on together with others.
SMALL: Final = 1 << 12
# Values that are worked on at once.
BLOCK: Final = 1 << 14
# Places that are handed on at once.
PIECE: Final = 1 << 18
# Extents that leave room for the rounding of a type: between least and most.
_EXTENTS: Final = {"<f4": (1e-30, 1e38), "<f8": (1e-280, 1e300)}
# Places that are for no bin, or for the last one.
_APART: Final = 4


class Placed(NamedTuple):
    """Tell of an array of which the places were said: its number, how many values it has, and their extent."""

    number: int
    n: int
    low: float
    high: float


class Places:
    """Turn arrays into places; `placed` says in which order, once all pieces were taken."""

    def __init__(self, arrays: Sequence[Numbers], bins: int) -> None:
        import numpy as np

        self.placed: list[Placed] = []
        self.dtype = np.dtype(np.min_scalar_type(bins + _APART - 1))
        self.n_bytes = sum(one.array.size for one in arrays) * self.dtype.itemsize
        self._arrays = arrays
        self._bins = bins

    def pieces(self) -> Iterator[memoryview]:
        """Yield the bytes of all places; each piece is good until the next is asked for."""
        import numpy as np

        piece = np.empty(min(PIECE, self.n_bytes), dtype=self.dtype)
        filled = 0
        for block in self._blocks():
            if filled + len(block) > len(piece):
                yield piece[:filled].view(np.uint8).data
                filled = 0
            piece[filled : filled + len(block)] = block  # rounds down
            filled += len(block)
        yield piece[:filled].view(np.uint8).data

    def _blocks(self) -> Iterator[Any]:
        """Yield places that are not rounded yet; each block is good until the next is asked for."""
        together: dict[str, list[tuple[int, Any]]] = {dtype: [] for dtype in _EXTENTS}
        waiting = dict.fromkeys(_EXTENTS, 0)
        for number, (array, dtype) in enumerate(self._arrays):
            # In the order in which they lie in memory, which no count depends on.
            flat = array if array.ndim == 1 else array.ravel("K")
            if dtype not in _EXTENTS or flat.size > SMALL:
                yield from self._alone(number, flat, dtype)
                continue
            together[dtype].append((number, flat))
            waiting[dtype] += flat.size
            if waiting[dtype] >= BLOCK:
                yield from self._together(together[dtype], dtype)
                together[dtype], waiting[dtype] = [], 0
        for dtype, arrays in together.items():
            if arrays:
                yield from self._together(arrays, dtype)

    def _together(self, arrays: list[tuple[int, Any]], dtype: str) -> Iterator[Any]:
        import numpy as np

        flat = np.concatenate([one for _, one in arrays])
        sizes = [len(one) for _, one in arrays]
        starts = np.cumsum([0, *sizes[:-1]])
        least, most = _EXTENTS[dtype]
        with np.errstate(all="ignore"):
            low, high = np.minimum.reduceat(flat, starts), np.maximum.reduceat(flat, starts)
            extent = high - low
            fits = (extent > least) & (extent < most)  # neither is true of NaN
        if not fits.all():
            for (number, one), fit in zip(arrays, fits, strict=True):
                if not fit:
                    yield from self._alone(number, one, dtype)
            arrays = [one for one, fit in zip(arrays, fits, strict=True) if fit]
            if arrays:
                yield from self._together(arrays, dtype)
            return
        flat -= np.repeat(low, sizes)
        flat *= np.repeat(self._bins / extent, sizes)
        numbers = [number for number, _ in arrays]
        self.placed += map(Placed, numbers, sizes, low.tolist(), high.tolist())
        yield flat

    def _alone(self, number: int, flat: Any, dtype: str) -> Iterator[Any]:
        import numpy as np

        least, most = _EXTENTS.get(dtype, (0.0, 0.0))
        low, high = (float(flat.min()), float(flat.max())) if most else (0.0, 0.0)
        if not least < high - low < most:
            yield from self._odd(number, flat, dtype)
            return
        self.placed.append(Placed(number, len(flat), low, high))
        scale = self._bins / (high - low)
        scratch = np.empty(min(BLOCK, len(flat)), dtype=flat.dtype)
        for begin in range(0, len(flat), BLOCK):
            block = flat[begin : begin + BLOCK]
            places = np.subtract(block, low, out=scratch[: len(block)])
            places *= scale
            yield places

    def _odd(self, number: int, flat: Any, dtype: str) -> Iterator[Any]:
        """Yield the places of values of any type and extent, some of which may not be finite."""
        import numpy as np

        blocks = [flat[begin : begin + BLOCK] for begin in range(0, len(flat), BLOCK)]
        extent = Extent()
        for block in blocks:
            extent.add(values_of(block, dtype).astype(np.float64))
        low, high = splittable(*extent.span(), self._bins)
        self.placed.append(Placed(number, len(flat), low, high))
        scale = 1.0 if high - low < float("inf") else 0.25
        for block in blocks:
            values = values_of(block, dtype).astype(np.float64)
            with np.errstate(invalid="ignore"):
                places = (values * scale - low * scale) * (self._bins / (high * scale - low * scale))
            for place, which in enumerate((np.isnan(values), values == np.inf, values == -np.inf), 1):
                places[which] = self._bins + place
            yield places
