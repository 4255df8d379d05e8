"""Make pictures of the pixels that the training process handed over as they were.

    layout   shape                  what it is
    HW       H × W                  gray
    HWC      H × W × C              C = 1 gray, 3 colour, 4 with transparency
    CHW      C × H × W              the same, as PyTorch has it
    N…       one axis more          pictures of one grid, or the frames of a video

Bytes are 0 … 255, floats 0 … 1, booleans black and white.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .base import array_of, bytes_of

__all__ = ["CUT", "NO_NUMBERS", "Frames", "Pixels", "frames_of", "picture_of", "png_of", "raster_of"]

GRID_GAP: Final = 2
CUT: Final = "its numbers go beyond 0 … 1 and were cut off there; scale floats to 0 … 1, or pass uint8"
NO_NUMBERS: Final = "some of its numbers are NaN or infinite; they are shown black"

Pixels = NDArray[np.uint8]


class Frames:
    """Give the pictures of an array one by one; `note` says then what was wrong with any of them."""

    def __init__(self, array: NDArray[Any], layout: str) -> None:
        self._array = array
        self._first = layout[-3:] == "CHW"
        self.note: str | None = None

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Pixels]:
        for frame in self._array:
            yield self._bytes(frame)

    def _bytes(self, frame: NDArray[Any]) -> Pixels:
        if self._first and frame.ndim == 3:
            frame = frame.transpose(1, 2, 0)
        if frame.ndim == 3 and frame.shape[2] == 1:
            frame = frame[:, :, 0]
        if frame.dtype.kind == "f":
            return self._bytes_of_floats(frame)
        if frame.dtype.kind == "b":
            frame = frame.astype(np.uint8) * np.uint8(255)
        pixels: Pixels = np.ascontiguousarray(frame, dtype=np.uint8)
        return pixels

    def _bytes_of_floats(self, frame: NDArray[Any]) -> Pixels:
        frame = frame.astype(np.float32)  # a copy, and float16 is slow
        finite = np.isfinite(frame)
        if not finite.all():
            self.note = NO_NUMBERS
            frame[~finite] = 0
        elif frame.min() < 0 or frame.max() > 1:
            self.note = self.note or CUT
        np.clip(frame, 0, 1, out=frame)
        frame *= 255
        frame += 0.5
        made: Pixels = frame.astype(np.uint8)
        return made


class Picture(NamedTuple):
    """Hold a picture, and what was wrong with its pixels."""

    image: Image.Image
    note: str | None


def frames_of(item: Mapping[str, Any], shard: Path) -> Frames:
    """Return the frames of an array of several pictures; a large one stays on the disk."""
    return Frames(array_of(item, shard), str(item["layout"]))


def picture_of(item: Mapping[str, Any], shard: Path) -> Picture:
    """Return the picture of an array: several become one grid."""
    array = array_of(item, shard)
    layout = str(item.get("layout", "HWC"))
    frames = Frames(array if layout.startswith("N") else array[None], layout)
    tiles = list(frames)
    return Picture(Image.fromarray(tiles[0] if len(tiles) == 1 else _grid(tiles)), frames.note)


def _grid(tiles: Sequence[Pixels]) -> Pixels:
    """Put pictures of one size in rows, as near to a square as may be."""
    height, width = tiles[0].shape[:2]
    columns = max(1, min(len(tiles), round(math.sqrt(len(tiles) * height / width))))
    rows = -(-len(tiles) // columns)
    shape = (rows * (height + GRID_GAP) - GRID_GAP, columns * (width + GRID_GAP) - GRID_GAP)
    grid = np.zeros((*shape, *tiles[0].shape[2:]), dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + GRID_GAP), i % columns * (width + GRID_GAP)
        grid[top : top + height, left : left + width] = tile
    return grid


def raster_of(item: Mapping[str, Any], shard: Path) -> Image.Image:
    """Return the picture that Pillow's own pixels were."""
    data = bytes_of(item, shard)
    if item.get("form") == "ppm":
        return Image.open(io.BytesIO(data), formats=["PPM"])
    width, height = item["size"]
    # `form` is how the pixels lay in Pillow's memory, where they were not packed.
    image = Image.frombytes(item["mode"], (width, height), data, "raw", item.get("form", item["mode"]))
    if item.get("palette"):
        image.putpalette(bytes(item["palette"]))
    return image if item["mode"] in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")


def png_of(image: Image.Image) -> bytes:
    """Return a PNG."""
    buffer = io.BytesIO()
    # Level 1: a fifth of the time of the default for a tenth more bytes.
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
