"""What lies over an image: boxes, masks, and the names of their classes.

    Media(
        image,
        boxes=[{"box": [x0, y0, x1, y1], "class_id": 1, "label": "cat", "score": 0.9}],
        masks={"prediction": labels},       # H × W integers, each the number of a class
        classes={0: "background", 1: "cat"},
    )

A box is in pixels; where all four numbers lie from 0 to 1, they are parts of width and height. Several sets of boxes,
as {"prediction": […], "truth": […]}, can be shown one by one. All but "box" may be left out of a box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from operator import index
from typing import Any, Final

from ...errors import RichValueError
from ...journal.stage import Stage
from ..plain import storable_text
from .base import array_item
from .pixels import numbers

__all__ = ["overlay_item"]

MOST_BOXES: Final = 10_000
_FORM: Final = 'a box is {"box": [x0, y0, x1, y1], …} of four finite numbers'


def overlay_item(
    boxes: Any, masks: Any, classes: Any, size: tuple[int, int] | None, stage: Stage
) -> dict[str, Any]:
    """Return what stands for overlays; `size` is height and width of the image, as far as known."""
    item: dict[str, Any] = {}
    if boxes is not None and len(boxes):
        item["boxes"] = _boxes(boxes)
    if masks:
        item["masks"] = {
            storable_text(str(name)): _mask(name, mask, size, stage) for name, mask in _named(masks)
        }
    if classes:
        item["classes"] = _classes(classes)
    return item


def _boxes(given: Any) -> list[dict[str, Any]]:
    groups = given.items() if isinstance(given, Mapping) else [(None, given)]
    made = [_box(box, group) for group, boxes in groups for box in boxes]
    if len(made) > MOST_BOXES:
        raise RichValueError(
            "Media", given, f"{len(made)} boxes are more than the {MOST_BOXES} that can be shown"
        )
    return made


def _box(given: Any, group: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or "box" not in given:
        raise RichValueError("Media", given, _FORM)
    corners = [float(side) for side in given["box"]]
    if len(corners) != 4 or not all(map(math.isfinite, corners)):
        raise RichValueError("Media", given, f"{_FORM}, not {corners}")
    if unknown := set(given) - {"box", "class_id", "label", "score"}:
        raise RichValueError(
            "Media", given, f"a box has no {sorted(map(str, unknown))}; it may have class_id, label and score"
        )
    return {
        "box": corners,
        "relative": all(0 <= side <= 1 for side in corners),
        "class_id": None if given.get("class_id") is None else int(index(given["class_id"])),
        "label": _text(given.get("label")),
        "score": None if given.get("score") is None else float(given["score"]),
        "group": _text(group),
    }


def _text(value: Any) -> str | None:
    return None if value is None else storable_text(str(value))


def _named(masks: Any) -> Any:
    return masks.items() if isinstance(masks, Mapping) else [("mask", masks)]


def _mask(name: Any, mask: Any, size: tuple[int, int] | None, stage: Stage) -> dict[str, Any]:
    """Return an H×W mask as bytes, or as 16 bits where the numbers of its classes need them."""
    import numpy as np

    array = numbers("Media", mask)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.dtype.kind == "f" or array.size == 0:
        raise RichValueError(
            "Media", mask, f"mask {name!r} is {array.shape} of {array.dtype}; a mask is H×W integers"
        )
    if size is not None and array.shape != size:
        raise RichValueError("Media", mask, f"mask {name!r} is {array.shape}, and the image {size}")
    highest = int(array.max())
    if array.min() < 0 or highest > 0xFFFF:
        raise RichValueError("Media", mask, f"mask {name!r} has numbers of classes beyond 0 … 65535")
    return array_item(array.astype(np.uint8 if highest < 256 else "<u2"), stage)


def _classes(given: Any) -> dict[str, str]:
    names = given if isinstance(given, Mapping) else dict(enumerate(given))
    return {str(int(index(number))): storable_text(str(name)) for number, name in names.items()}
