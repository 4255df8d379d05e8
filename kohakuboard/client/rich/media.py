"""Pictures, films, sounds and files: Media.

What makes an item of each is in pixels.py, sound.py and overlays.py; what it then holds is drawn in
writer/rich/media.py.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any, Final

from ...errors import RichValueError
from ...journal.encoder import has_ffmpeg
from ...journal.stage import Stage, StagingError
from ..plain import describe, storable_text
from .base import Rich
from .drawing import is_matplotlib, matplotlib_bytes
from .overlays import overlay_item
from .pixels import LARGEST_BYTES, film_item, pixels_item, raster_item, size_of, too_large
from .sound import sound_item, valid_rate

__all__ = ["Media"]

FORMATS: Final = ("mp4", "gif", "webp")


class Media(Rich):
    """Show an image, a video, a sound or any file.

    The value is read when it is logged, not before. Encoding is done by the background writer, and what it is told by
    its content. Bytes that were logged before are stored once.

    Args:
        data: An image: Pillow's, a matplotlib figure, or an array or tensor of H×W, H×W×C or C×H×W (uint8, or floats
            from 0 to 1; C = 1, 3, 4); with one axis more in front, several that are shown as one grid. Or the path of
            a file, or its bytes.
        caption: What is said of it.
        boxes: Boxes over an image: [{"box": [x0, y0, x1, y1], "class_id": 1, "label": "cat", "score": 0.9}, …], in
            pixels, or in parts of the sides where all four numbers lie from 0 to 1; or sets of them by name.
        masks: Masks over an image, H×W integers by name, each the number of a class.
        classes: The names of classes by number.
        fps: Makes a video of an array of T×H×W, T×H×W×C or T×C×H×W. As MP4 it needs ffmpeg, on the path or from
            `pip install "kohakuboard[video]"`.
        sample_rate: Makes a sound of an array of n, n × channels or channels × n (floats from -1 to 1, or int16).
        format: Of a video: "mp4", or "gif" or "webp", which need nothing.
    """

    def __init__(
        self,
        data: Any,
        caption: str | None = None,
        *,
        boxes: Any = None,
        masks: Any = None,
        classes: Any = None,
        fps: float | None = None,
        sample_rate: int | None = None,
        format: str = "mp4",  # noqa: A002
    ) -> None:
        self._data = data
        has_overlays = not (boxes is None and masks is None and classes is None)
        self._overlays = (boxes, masks, classes) if has_overlays else None
        self._caption: str | None = None
        with self.refused_later(data):
            self._caption = storable_text(str(caption)) if caption is not None else None
            self._rate = valid_rate(sample_rate) if sample_rate is not None else None
            self._fps = _valid_fps(fps) if fps is not None else None
            self._format = _valid_format(format)

    def _item(self, stage: Stage) -> dict[str, Any]:
        try:
            source = self._source(stage)
            overlays = overlay_item(*self._overlays, size_of(source), stage) if self._overlays else {}
        except (RichValueError, StagingError):
            raise
        except Exception as exc:
            raise RichValueError("Media", self._data, f"it cannot be read ({describe(exc)})") from exc
        return {"type": "media", "caption": self._caption, **source, **overlays}

    def _source(self, stage: Stage) -> dict[str, Any]:
        data = self._data
        if isinstance(data, str | os.PathLike):
            return _file_item(data, stage)
        if isinstance(data, bytes | bytearray | memoryview):
            return _bytes_item(data, stage)
        if self._rate is not None:
            return {"samples": sound_item(data, stage), "sample_rate": self._rate}
        if self._fps is not None:
            return self._film(stage)
        if is_matplotlib(data):
            return {"file": stage.data(matplotlib_bytes(data, "png")), "file_name": None}
        if hasattr(data, "getbands"):
            return raster_item(data, stage)
        if isinstance(data, list | tuple) or any(hasattr(data, mark) for mark in ("dtype", "__array__")):
            return {"pixels": pixels_item(data, stage)}
        raise RichValueError("Media", data, "pass an image, an array, the path of a file or its bytes")

    def _film(self, stage: Stage) -> dict[str, Any]:
        if self._format == "mp4" and not has_ffmpeg():
            cure = 'pip install "kohakuboard[video]", or pass format="gif" or "webp"'
            raise RichValueError("Media", self._data, f"to make a video of frames needs ffmpeg: {cure}")
        return {"frames": film_item(self._data, stage), "fps": self._fps, "form": self._format}


def _bytes_item(data: bytes | bytearray | memoryview, stage: Stage) -> dict[str, Any]:
    view = memoryview(data).cast("B")
    if not 0 < len(view) <= LARGEST_BYTES:
        raise RichValueError("Media", data, too_large(len(view)) if len(view) else "it is empty")
    return {"file": stage.data(view), "file_name": None}


def _file_item(data: str | os.PathLike[str], stage: Stage) -> dict[str, Any]:
    path = Path(data).expanduser()
    try:
        found = path.stat()
    except FileNotFoundError:
        raise RichValueError("Media", data, f"there is no file at {str(path)!r}") from None
    except (OSError, ValueError) as exc:  # a loop of links, a directory that may not be entered, a null byte
        raise RichValueError("Media", data, f"{str(path)!r} cannot be read ({exc})") from exc
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise RichValueError("Media", data, f"{str(path)!r} is {what}; pass the path of a file")
    if not 0 < found.st_size <= LARGEST_BYTES:
        reason = too_large(found.st_size) if found.st_size else f"the file at {str(path)!r} is empty"
        raise RichValueError("Media", data, reason)
    return {"file": stage.file(path), "file_name": storable_text(path.name)}


def _valid_fps(fps: Any) -> float:
    number = float(fps)
    if not (math.isfinite(number) and 0 < number <= 1000):
        raise RichValueError("Media", fps, f"fps must be the frames a second, such as 24, not {fps!r}")
    return number


def _valid_format(form: Any) -> str:
    if form not in FORMATS:
        raise RichValueError("Media", form, f"format must be one of {', '.join(FORMATS)}, not {form!r}")
    return str(form)
