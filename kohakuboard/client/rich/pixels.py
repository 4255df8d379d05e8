"""Look at arrays and Pillow images as they are, and hand their bytes over; the writer makes pictures of them.

Nothing is copied but into the journal, and nothing is converted that the writer can convert: to make bytes of a float
image of 1024 × 1024 would take training 30 ms, to hand over its floats takes 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ...errors import RichValueError
from ...journal.stage import Stage
from .base import array_item
from .raster import raster_of

__all__ = ["LARGEST_BYTES", "film_item", "numbers", "pixels_item", "raster_item", "size_of", "too_large"]

MOST_PIXELS: Final = 100_000_000
CHANNELS: Final = (1, 3, 4)
ZERO_TO_255: Final = "its integers go beyond 0 … 255; scale them, or pass floats from 0 to 1"
# What one value may take in the journal, and so of the time that training waits: half a second on most disks.
LARGEST_BYTES: Final = 512 << 20
_SHAPES: Final = "an image is H×W, H×W×C or C×H×W, and several are N×H×W×C or N×C×H×W, with C = 1, 3 or 4"
_FILMS: Final = "a video is T×H×W, T×H×W×C or T×C×H×W, with C = 1, 3 or 4"


def too_large(n_bytes: int) -> str:
    """Say that a value is too large to be copied while training waits."""
    return (
        f"it has {n_bytes / 1e6:.0f} MB, and no more than {LARGEST_BYTES / 1e6:.0f} MB are copied while training "
        "waits; log a part of it, or its path as text"
    )


def numbers(kind: str, value: Any) -> Any:
    """Return an array or tensor of numbers as a NumPy array, of the same memory where that can be."""
    import numpy as np

    if isinstance(value, list | tuple) and value and not isinstance(value[0], list | tuple | int | float):
        return _stacked(kind, value)
    if hasattr(value, "detach"):
        value = value.detach()
        if "bfloat16" in str(value.dtype):
            value = value.float()
        value = value.cpu().numpy()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as exc:
        raise RichValueError(kind, value, f"numpy cannot read it ({exc}); pass an array of numbers") from exc
    if array.dtype.kind not in "biuf":
        if array.dtype.name != "bfloat16":
            raise RichValueError(kind, value, f"its dtype is {array.dtype}; pass numbers")
        array = array.astype(np.float32)
    return array.astype(np.float64) if array.dtype.itemsize > 8 else array


def _stacked(kind: str, values: Any) -> Any:
    import numpy as np

    arrays = [numbers(kind, value) for value in values]
    if len({array.shape for array in arrays}) > 1:
        reason = f"they differ in shape; log each by itself: [{kind}(one), {kind}(another), …]"
        raise RichValueError(kind, values, reason)
    return np.stack(arrays)


def pixels_item(value: Any, stage: Stage) -> dict[str, Any]:
    """Return what stands for the pixels of an image, or of several for a grid."""
    array = numbers("Media", value)
    layout = _layout(array, of_tensor=hasattr(value, "detach"))
    if layout is None or array.size == 0:
        raise RichValueError("Media", value, f"its shape is {array.shape}; {_SHAPES}")
    if math.prod(array.shape) > MOST_PIXELS * 4:
        raise RichValueError(
            "Media", value, f"its shape is {array.shape}, more than can be shown; scale it down"
        )
    return _packed(_bytes_or_floats(value, array), layout, stage)


def film_item(value: Any, stage: Stage) -> dict[str, Any]:
    """Return what stands for the frames of a video."""
    array = numbers("Media", value)
    layout = "NHW" if array.ndim == 3 else _layout(array, of_tensor=hasattr(value, "detach"))
    if layout is None or layout[0] != "N" or array.size == 0:
        raise RichValueError("Media", value, f"its shape is {array.shape}; {_FILMS}")
    if array.nbytes > LARGEST_BYTES:
        raise RichValueError("Media", value, too_large(array.nbytes))
    return _packed(_bytes_or_floats(value, array), layout, stage)


def _layout(array: Any, *, of_tensor: bool) -> str | None:
    """Tell which axis is which. Where both ends could be channels, PyTorch has them first, all others last."""
    if array.ndim == 2:
        return "HW"
    if array.ndim not in (3, 4):
        return None
    first: bool = array.shape[-3] in CHANNELS
    last: bool = array.shape[-1] in CHANNELS
    if not (first or last):
        return None
    return "N" * int(array.ndim - 3) + ("CHW" if first and (of_tensor or not last) else "HWC")


def _bytes_or_floats(value: Any, array: Any) -> Any:
    """Return an array of which the writer knows what its numbers mean."""
    import numpy as np

    if array.dtype.kind in "fb" or array.dtype == np.uint8:
        return array
    if array.min() < 0 or array.max() > 255:
        raise RichValueError("Media", value, ZERO_TO_255)
    return array.astype(np.uint8)


def _packed(array: Any, layout: str, stage: Stage) -> dict[str, Any]:
    """Return an array's item; one that was only turned, as by `permute`, is turned back, which copies nothing."""
    if not array.flags.c_contiguous and layout in ("HWC", "CHW"):
        turned = array.transpose((2, 0, 1) if layout == "HWC" else (1, 2, 0))
        if turned.flags.c_contiguous:
            array, layout = turned, "CHW" if layout == "HWC" else "HWC"
    return {**array_item(array, stage), "layout": layout}


def size_of(item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return height and width of an image's item; None where only the writer will know, and of a grid."""
    if raster := item.get("raster"):
        width, height = raster["size"]
        return height, width
    if (pixels := item.get("pixels")) and not pixels["layout"].startswith("N"):
        return tuple(
            side for side, axis in zip(pixels["shape"], pixels["layout"], strict=True) if axis != "C"
        )
    return None


def raster_item(image: Any, stage: Stage) -> dict[str, Any]:
    """Return what stands for the pixels of a Pillow image, or for the file that it was opened from and still is."""
    if image.width * image.height > MOST_PIXELS:
        raise RichValueError(
            "Media", image, f"{image.width} × {image.height} pixels are more than can be shown"
        )
    if 0 in image.size:
        raise RichValueError("Media", image, f"it is empty: its size is {image.size}")
    if (data := _untouched(image)) is not None:
        return {"file": stage.data(data), "file_name": None}
    if image.mode == "F" or (image.mode == "I" and max(image.getextrema()) <= 255):
        return {"pixels": pixels_item(numbers("Media", image), stage)}
    if image.mode == "I":
        if image.getextrema()[0] < 0 or image.getextrema()[1] > 0xFFFF:
            raise RichValueError("Media", image, ZERO_TO_255)
        image = image.convert("I;16")
    return {"raster": raster_of(image, stage)}


def _untouched(image: Any) -> bytes | None:
    """Return the file of an image that was opened and not read yet, or of an animation at its first frame."""
    file = getattr(image, "fp", None)
    animated = getattr(image, "is_animated", False) and image.tell() == 0
    if file is None or not (animated or getattr(image, "_im", image) is None):
        return None
    if image.format not in ("PNG", "JPEG", "GIF", "WEBP"):
        return None
    place = file.tell()
    try:
        file.seek(0)
        found: bytes = file.read()
    finally:
        file.seek(place)
    return found
