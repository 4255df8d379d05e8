"""Hand over the pixels of a Pillow image, from where they lie if Pillow says where: by the Arrow C data interface.

It keeps 4 bytes for each pixel in colour, and tobytes() packs them by the line into many small pieces, which takes
longer than to write the fourth bytes, too. See https://arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from ...journal.stage import INLINE_BYTES, Stage

__all__ = ["raster_of"]

# Modes whose pixels may go as they lie, how many bytes one takes there, and what Pillow calls that.
_LYING: Final = {"L": (1, "L"), "RGB": (4, "RGBX"), "RGBA": (4, "RGBA")}
_KNOWN: Final = ("1", "L", "LA", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "HSV", "LAB")


def raster_of(image: Any, stage: Stage) -> dict[str, Any]:
    """Return what stands for the pixels of an image of whole numbers."""
    if image.mode == "P" and "transparency" not in image.info:
        return {**_packed(image, stage), "palette": bytes(image.getpalette() or ())}
    if image.mode not in _KNOWN:
        image = image.convert("RGBA")
    n_bytes = image.width * image.height * len(image.getbands())
    if image.mode not in _LYING or n_bytes <= INLINE_BYTES:
        return _packed(image, stage)
    with _memory(image) as pixels:
        if pixels is not None:
            form = _LYING[image.mode][1]
            return {"mode": image.mode, "form": form, "size": list(image.size), **stage.data(pixels)}
    if image.mode == "RGBA":
        return _packed(image, stage)
    # Pillow writes this format without a copy of the pixels, in a quarter of the time of tobytes().
    staged = stage.written(n_bytes, lambda file: image.save(file, "PPM"))
    return {"form": "ppm", "size": list(image.size), **staged}


def _packed(image: Any, stage: Stage) -> dict[str, Any]:
    return {"mode": image.mode, "size": list(image.size), **stage.data(image.tobytes())}


@contextmanager
def _memory(image: Any) -> Iterator[memoryview | None]:
    """Give the memory of an image; None where it is not in one piece, or where Pillow cannot tell (before 11.2)."""
    try:
        # Pixels that are another's own Pillow reads through pointers to their lines alone.
        whole = not image.readonly and sys.modules["PIL.Image"].core.get_alignment() == 1
        exported = image.__arrow_c_array__() if whole else None
        memory = _memory_of(exported[1], image) if exported is not None else None
    except Exception:  # noqa: BLE001  (a Pillow that has not got it, or not for such an image: there is another way)
        yield None
        return
    yield memory
    del exported  # which keeps the memory


def _memory_of(capsule: Any, image: Any) -> memoryview | None:
    import ctypes

    pointer, address_in = _arrow()
    array = ctypes.cast(address_in(capsule, b"arrow_array"), pointer).contents
    lists = array.children[0].contents if array.n_children else array
    n_bytes = image.width * image.height * _LYING[image.mode][0]
    if (array.offset, lists.offset, lists.length) != (0, 0, n_bytes):
        return None
    address = lists.buffers[1]
    return memoryview((ctypes.c_ubyte * n_bytes).from_address(address)).cast("B") if address else None


@cache
def _arrow() -> tuple[Any, Any]:
    """Return the type of pointers to `struct ArrowArray`, and what finds one in a capsule."""
    import ctypes

    class ArrowArray(ctypes.Structure):
        """Be `struct ArrowArray`."""

    pointer = ctypes.POINTER(ArrowArray)
    ArrowArray._fields_ = [
        *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.POINTER(pointer)),
        *((name, ctypes.c_void_p) for name in ("dictionary", "release", "private_data")),
    ]
    kind = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    return pointer, kind(("PyCapsule_GetPointer", ctypes.pythonapi))
