"""Cut a tensor to what can be looked at: its last two axes, at one place of all others, as numbers and as a picture.

A large tensor is mapped, so only what is looked at is read; of a slice with more rows or columns than a picture has
every so many are taken.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["Slice", "picture", "slice_of"]

Float64 = npt.NDArray[np.float64]

_MOST_PIXELS: Final = 512  # on each side
# Legible on a light and on a dark ground: above zero blue, below it orange.
_ABOVE, _BELOW = (0x4A, 0x87, 0xC9), (0xD9, 0x8A, 0x1F)


@dataclass(frozen=True, slots=True)
class Slice:
    """Hold a slice: its place on the axes before the last two, its numbers (R, C), and how far apart these lie.

    `min`, `max`, `mean` and `std` are of its finite numbers, None where there is none.
    """

    at: Sequence[int]
    numbers: Float64
    stride: tuple[int, int]
    n_nonfinite: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None


def slice_of(array: npt.NDArray[Any], at: Sequence[int]) -> Slice:
    """Return the slice of an array at a place, which is moved to the nearest that there is."""
    shape = (1,) * (2 - array.ndim) + array.shape
    place = [min(max(i, 0), n - 1) for i, n in zip([*at, *[0] * len(shape)], shape[:-2], strict=False)]
    plane = array.reshape(shape)[tuple(place)]
    stride = (max(-(-shape[-2] // _MOST_PIXELS), 1), max(-(-shape[-1] // _MOST_PIXELS), 1))
    taken = plane[:: stride[0], :: stride[1]]
    numbers = (np.abs(taken) if np.iscomplexobj(taken) else taken).astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    known = [float(f(finite)) for f in (np.min, np.max, np.mean, np.std)] if finite.size else [None] * 4
    return Slice(place, numbers, stride, numbers.size - finite.size, *known)


def picture(one: Slice) -> bytes:
    """Return a slice as PNG: the farther from zero the stronger; where all have one sign, from the lowest."""
    lo, hi = one.min or 0.0, one.max or 0.0
    origin = 0.0 if lo <= 0 <= hi else lo
    reach = max(abs(hi - origin), abs(lo - origin)) or 1.0
    apart = np.nan_to_num((one.numbers - origin) / reach, nan=0.0, posinf=1.0, neginf=-1.0)
    pixels = np.empty((*one.numbers.shape, 4), np.uint8)
    pixels[..., :3] = np.where((apart >= 0)[..., None], _ABOVE, _BELOW)
    pixels[..., 3] = np.clip(np.abs(apart), 0, 1) * 255
    pixels[~np.isfinite(one.numbers)] = (0xD6, 0x27, 0x28, 255)
    packed = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(packed, "PNG", compress_level=3)
    return packed.getvalue()
