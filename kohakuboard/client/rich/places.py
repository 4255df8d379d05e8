"""Say of each value of a large array in which bin it is, a byte for each: a quarter of a float32 to hand over.

    place of a value   (value - lowest) * bins / (highest - lowest), rounded down
    bins               that of the highest, which belongs to the last bin

It is computed in the type of the values, so what lies within the rounding of a float32 of an edge may get the place
beside it. An array is worked on by the block, each of which is in a core's cache from one operation to the next, and
its extent is found just before, so that one of ordinary size is there already. Small ones are not: to compute takes
longer then than to hand over the values, and the calls alone longer than the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

__all__ = ["SMALL", "Placing", "may_have_places", "place_dtype", "places", "placing"]

# Values of an array that is handed over as it is.
SMALL: Final = 1 << 14
# Values that are worked on at once. Half as many took a quarter more time.
BLOCK: Final = 1 << 15
# Places that are handed on at once.
PIECE: Final = 1 << 18
# Extents that leave room for the rounding of a type: between least and most.
_EXTENTS: Final = {"<f4": (1e-30, 1e38), "<f8": (1e-280, 1e300)}


class Placing(NamedTuple):
    """Hold an array of finite values that are not all one, flat, with its lowest and its highest value."""

    array: Any
    low: float
    high: float


def may_have_places(n: int, dtype: str) -> bool:
    """Tell whether an array of `n` values is to be handed over by its places, if its values allow that."""
    return n > SMALL and dtype in _EXTENTS


def placing(array: Any, dtype: str) -> Placing | None:
    """Return an array with its extent; None where its values must be handed over as they are."""
    low, high = float(array.min()), float(array.max())
    least, most = _EXTENTS[dtype]
    return Placing(array, low, high) if least < high - low < most else None  # neither is true of NaN


def place_dtype(bins: int) -> Any:
    """Return the type of places among so many bins."""
    import numpy as np

    return np.dtype(np.min_scalar_type(bins))


def places(arrays: Iterable[Placing], bins: int) -> Iterator[tuple[Any]]:
    """Yield the places of arrays, some at a time; each piece is good until the next is asked for.

    An array is asked for when those before it are done.
    """
    import numpy as np

    piece = np.empty(PIECE, dtype=place_dtype(bins))
    filled = 0
    for array, low, high in arrays:
        scale = bins / (high - low)
        scratch = np.empty(min(BLOCK, len(array)), dtype=array.dtype)
        for begin in range(0, len(array), BLOCK):
            block = array[begin : begin + BLOCK]
            if filled + len(block) > len(piece):
                yield (piece[:filled],)
                filled = 0
            found = np.subtract(block, low, out=scratch[: len(block)])
            found *= scale
            piece[filled : filled + len(block)] = found  # rounds down
            filled += len(block)
    yield (piece[:filled],)
