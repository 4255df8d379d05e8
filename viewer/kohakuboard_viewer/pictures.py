"""Make what pages show of pictures: small ones out of large ones, and masks in colours. All of it is bounded.

A picture may be a bomb: a few kB that unpack to gigabytes. So its size is read first, what is too large is refused, and
only a few are unpacked at a time.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import IO, Final

import numpy as np
from PIL import Image, ImageOps

__all__ = ["PictureError", "coloured", "reduced"]

# What Pillow may take a file for: formats that hold no others and run no other program.
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_MOST_PIXELS: Final = 100_000_000  # as many as the writer takes
_AT_ONCE: Final = threading.BoundedSemaphore(2)
# After Okabe and Ito; more classes than these begin again.
_CLASS_COLOURS: Final = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0)),
    *((204, 121, 167), (120, 94, 240), (100, 143, 255), (220, 38, 127)),
)


class PictureError(ValueError):
    """Say why a picture cannot be shown; `status` is the HTTP status for it."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


def reduced(file: IO[bytes], side: int) -> tuple[bytes, str]:
    """Return a picture of which no side is longer than `side`, as PNG or JPEG, and its type. Raises PictureError."""
    with _opened(file, _FORMATS) as picture:
        picture.draft("RGB", (side, side))  # JPEG can be read at an eighth of its size
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith(("I", "F")):
            upright = Image.fromarray(_eight_bits(np.asarray(upright)))
        clear = "A" in upright.mode or "transparency" in upright.info
        shown = upright.convert("RGBA" if clear else "RGB")
        shown.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        packed = io.BytesIO()
        if clear:
            shown.save(packed, "PNG", compress_level=3)
        else:
            shown.save(packed, "JPEG", quality=88)
    return packed.getvalue(), "image/png" if clear else "image/jpeg"


def coloured(file: IO[bytes], hidden: Collection[int] = ()) -> bytes:
    """Return a grayscale picture of class numbers with a colour for each, and nothing where it is 0 or hidden."""
    with _opened(file, ("PNG",)) as mask:
        numbers = np.asarray(mask if mask.mode.startswith("I") else mask.convert("L"))
    places = np.where(numbers == 0, 0, (numbers - 1) % len(_CLASS_COLOURS) + 1).astype(np.uint8)
    if hidden:
        places[np.isin(numbers, list(hidden))] = 0
    shown = Image.fromarray(places, "P")
    shown.putpalette([part for colour in ((0, 0, 0), *_CLASS_COLOURS) for part in colour])
    packed = io.BytesIO()
    shown.save(packed, "PNG", transparency=0)
    return packed.getvalue()


@contextmanager
def _opened(file: IO[bytes], formats: Collection[str]) -> Iterator[Image.Image]:
    """Open a picture that is not too large; what then goes wrong with it is a PictureError."""
    with _AT_ONCE:
        try:
            with Image.open(file, formats=list(formats)) as picture:
                if picture.width * picture.height > _MOST_PIXELS:
                    size = f"{picture.width} × {picture.height}"
                    raise PictureError(413, f"the picture has {size} pixels, too many to be shown")
                yield picture
        except Image.DecompressionBombError as exc:
            raise PictureError(413, "the picture has too many pixels to be shown") from exc
        except PictureError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError) as exc:
            raise PictureError(422, f"the picture cannot be read ({exc})") from exc


def _eight_bits(
    values: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return numbers of any range as gray."""
    numbers = np.nan_to_num(values.astype(np.float64))
    lo, hi = float(numbers.min()), float(numbers.max())
    return ((numbers - lo) * (255 / (hi - lo) if hi > lo else 0)).astype(np.uint8)
