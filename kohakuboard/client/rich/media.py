"""Pictures and files: Media."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...errors import RichValueError
from ...journal.stage import Stage
from ..plain import storable_text
from .base import Rich, array_item, as_array

__all__ = ["Media"]


class Media(Rich):
    """Show an image or any media file.

    `data` is a PIL image, an array or tensor of H×W, H×W×C or C×H×W (uint8, or floats from 0 to 1; C = 1, 3, 4), or
    the path of a file, which is copied when it is logged. Encoding is done by the background writer.
    """

    def __init__(self, data: Any, caption: str | None = None) -> None:
        self._caption = None
        self._path: Path | None = None
        self._pixels: Any = None
        with self.refused_later(data):
            self._caption = storable_text(str(caption)) if caption is not None else None
            if isinstance(data, str | os.PathLike):
                self._path = _existing_file(data)
            else:
                self._pixels = _pixels(data)

    def _item(self, stage: Stage) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "media", "caption": self._caption}
        if self._path is not None:
            return {**item, "file": stage.file(self._path), "file_name": storable_text(self._path.name)}
        return {**item, "pixels": array_item(self._pixels, stage)}


def _existing_file(data: str | os.PathLike[str]) -> Path:
    path = Path(data).expanduser()
    if not path.is_file():
        raise RichValueError("Media", data, f"there is no file at {str(path)!r}")
    return path


def _pixels(data: Any) -> Any:
    """Return H×W or H×W×C uint8 of an image given in any usual way."""
    import numpy as np

    array = as_array("Media", data)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise RichValueError("Media", data, f"its shape is {array.shape}; an image is H×W, H×W×C or C×H×W")
    if array.dtype.kind == "f":
        array = np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1) * 255 + 0.5
    elif array.dtype.kind == "b":
        array = array * np.uint8(255)
    elif array.min() < 0 or array.max() > 255:
        raise RichValueError(
            "Media", data, "its integers go beyond 0 … 255; scale them, or pass floats from 0 to 1"
        )
    return np.ascontiguousarray(array.astype(np.uint8))
