"""Encode pictures, films and sounds, and tell by its content what a file is.

    pixels, layout             an array of one picture, or of several for a grid -> PNG
    raster                     the pixels of a Pillow image -> PNG
    frames, fps, form          an array of pictures in time -> MP4, GIF or WebP
    samples, sample_rate       an array of sound -> WAV
    file, file_name            bytes of any format, stored as they are
    figure                     bytes of a Plotly figure as JSON; or with "file", a figure drawn as SVG or PNG

A picture that cannot be read is kept, as a file to download: the bytes may be all that there is. A note says so then,
and goes into the run's problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PIL import Image

from ...storage.media import MediaStore
from ...storage.media_types import HEAD_BYTES, extension_of, media_type
from ...storage.rich.media import MediaRow
from .base import bytes_of, staged_path
from .overlays import lay_over
from .pixels import frames_of, picture_of, png_of, raster_of
from .sound import duration_of_wav, write_wav
from .video import animate, film

__all__ = ["encode_media"]

# A picture that says it is larger than this is shown to nobody: unpacked it would take the browser's memory.
LARGEST_PIXELS: Final = 100_000_000
# What only Pillow knows how to look into; browsers show no TIFF.
_PICTURES: Final = ("png", "jpeg", "gif", "webp", "avif", "bmp", "tiff")

Image.MAX_IMAGE_PIXELS = None  # our own limit is asked before anything is unpacked


def encode_media(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    """Store what was logged, and describe it."""
    kind = next(kind for kind in _MAKERS if kind in item)
    row = _MAKERS[kind](item, shard, media)
    return lay_over(replace(row, caption=item["caption"]), item, shard, media)


def _from_pixels(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    image, note = picture_of(item["pixels"], shard)
    return replace(_stored_png(image, media), note=note)


def _from_raster(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    return _stored_png(raster_of(item["raster"], shard), media)


def _stored_png(image: Image.Image, media: MediaStore) -> MediaRow:
    data = png_of(image)
    return MediaRow(media.put(data, "png"), "png", len(data), "image", image.width, image.height)


def _from_frames(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    frames, fps, form = frames_of(item["frames"], shard), float(item["fps"]), str(item["form"])
    with media.scratch() as path:
        width, height = film(frames, fps, path) if form == "mp4" else animate(frames, fps, path, form)
        row = _stored(path, form, media)
    return replace(row, width=width, height=height, duration_s=len(frames) / fps, note=frames.note)


def _from_samples(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    with media.scratch() as path:
        duration_s, note = write_wav(item, shard, path)
        return replace(_stored(path, "wav", media), duration_s=duration_s, note=note)


def _from_figure(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    with _file_of(item["figure"], shard, media) as path:
        return _stored(path, "plotly", media)


def _from_file(item: Mapping[str, Any], shard: Path, media: MediaStore) -> MediaRow:
    with _file_of(item["file"], shard, media) as path:
        with open(path, "rb") as file:
            extension = extension_of(file.read(HEAD_BYTES))
        size, note = _look_into(path, extension) if extension in _PICTURES else (None, None)
        row = _stored(path, "bin" if note else extension, media)
        duration_s = duration_of_wav(path) if extension == "wav" else None
    width, height = size or (None, None)
    kind = "figure" if item.get("is_figure") else row.kind
    return replace(
        row, kind=kind, width=width, height=height, duration_s=duration_s, note=note or _doubt(item, row)
    )


def _stored(path: Path, extension: str, media: MediaStore) -> MediaRow:
    return MediaRow(
        media.put_file(path, extension), extension, path.stat().st_size, media_type(extension).kind
    )


@contextmanager
def _file_of(item: Mapping[str, Any], shard: Path, media: MediaStore) -> Iterator[Path]:
    """Give bytes as a file: the staged one where they are."""
    if "data" not in item:
        yield staged_path(item, shard)
        return
    with media.scratch() as path:
        path.write_bytes(bytes_of(item, shard))
        yield path


def _look_into(path: Path, extension: str) -> tuple[tuple[int, int] | None, str | None]:
    """Return the size of a picture without unpacking it, or why it cannot be shown."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > LARGEST_PIXELS:
                return (
                    None,
                    f"it is kept as a file: {image.width} × {image.height} pixels are too many to show",
                )
            size = image.size
            image.verify()
            return size, None
    except Exception as exc:  # noqa: BLE001  (a format's reader may raise anything at bytes that somebody made up)
        return (
            None,
            f"it is kept as a file: it begins as {extension.upper()} does, and cannot be read ({exc})",
        )


def _doubt(item: Mapping[str, Any], row: MediaRow) -> str | None:
    """Say that a file which is called a picture, a film or a sound is none that is known."""
    name = str(item.get("file_name") or "")
    promised = media_type(_ALIASES.get(suffix := Path(name).suffix[1:].lower(), suffix)).kind
    if row.kind != "file" or promised == "file":
        return None
    return f"it is kept as a file: {name!r} is no {promised} that is known"


_ALIASES: Final = {"jpg": "jpeg", "m4v": "mp4", "mpg": "mp4", "oga": "ogg"}
_MAKERS: Final[dict[str, Callable[[Mapping[str, Any], Path, MediaStore], MediaRow]]] = {
    "pixels": _from_pixels,
    "raster": _from_raster,
    "frames": _from_frames,
    "samples": _from_samples,
    "figure": _from_figure,
    "file": _from_file,
}
