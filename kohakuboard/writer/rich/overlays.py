"""Store what lies over a picture: boxes in pixels, and masks as pictures of the numbers of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...storage.media import MediaStore
from ...storage.rich.media import MediaRow
from .base import array_of
from .pixels import png_of

__all__ = ["lay_over"]


def lay_over(row: MediaRow, item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    """Add the boxes, masks and classes of an item to its row."""
    boxes = [_in_pixels(box, row.width, row.height) for box in item.get("boxes") or ()]
    notes = [row.note] if row.note else []
    masks = {}
    for name, packed in (item.get("masks") or {}).items():
        mask = array_of(packed, shard)
        masks[name] = media.put(png_of(Image.fromarray(mask)), "png")
        if row.width and mask.shape != (row.height, row.width):
            notes.append(
                f"its mask {name!r} is {mask.shape[0]} × {mask.shape[1]}, it is {row.height} × {row.width}"
            )
    return replace(row, boxes=boxes, masks=masks, classes=item.get("classes"), note="; ".join(notes) or None)


def _in_pixels(box: Mapping[str, Any], width: int | None, height: int | None) -> dict[str, Any]:
    corners = np.array(box["box"], dtype=float)
    if box.get("relative") and width and height:
        corners = corners * (width, height, width, height)
    return {**{key: value for key, value in box.items() if key != "relative"}, "box": corners.tolist()}
