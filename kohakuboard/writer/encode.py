"""Turn what the training process handed over raw into what is stored: counts of histograms, encoded pictures."""

from __future__ import annotations

import io
import mimetypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..journal.bins import count_bins
from ..journal.stage import STAGED_SUFFIX

__all__ = ["Encoded", "UnreadableItemError", "encode_media", "histogram_of", "table_rows"]

# A picture that says it is larger than this is refused before it is unpacked.
LARGEST_PIXELS: Final = 100_000_000
INT64: Final = range(-(2**63), 2**63)

_SIGNATURES: Final = (
    (b"\x1a\x45\xdf\xa3", 0, "webm", "video/webm"),
    (b"ftyp", 4, "mp4", "video/mp4"),
    (b"OggS", 0, "ogg", "audio/ogg"),
    (b"fLaC", 0, "flac", "audio/flac"),
    (b"ID3", 0, "mp3", "audio/mpeg"),
    (b"WAVE", 8, "wav", "audio/wav"),
)


class UnreadableItemError(Exception):
    """Say why a rich value that was logged cannot be stored."""


class Encoded(NamedTuple):
    """Hold media as they are stored."""

    data: bytes
    extension: str
    mime: str
    width: int | None
    height: int | None


@contextmanager
def _readable() -> Iterator[None]:
    """Turn whatever is wrong with one value into one error: the values beside it must not suffer.

    A staged file may have been cut short by a power cut, and a value may be one that no check foresaw.
    """
    try:
        yield
    except Exception as exc:
        raise UnreadableItemError(str(exc) or type(exc).__name__) from exc


def histogram_of(item: Mapping[str, Any], shard: Path) -> tuple[list[int], list[float], int]:
    """Return counts (B), edges (B + 1) and the number of values that were not finite."""
    with _readable():
        if "counts" not in item:
            item = count_bins(_array(item["values"], shard), item["bins"], item["range"])
        counts, edges = [int(count) for count in item["counts"]], [float(edge) for edge in item["edges"]]
        if len(edges) != len(counts) + 1 or not all(count in INT64 for count in counts):
            raise ValueError(f"{len(counts)} counts and {len(edges)} edges are no histogram")
        return counts, edges, int(item["n_nonfinite"])


def table_rows(item: Mapping[str, Any], shard: Path) -> list[list[Any]]:
    """Return the rows of a table."""
    with _readable():
        return msgspec.msgpack.decode(_bytes(item["rows"], shard), type=list[list[Any]])


def encode_media(item: Mapping[str, Any], shard: Path) -> Encoded:
    """Return pixels as PNG, and a file as it is, typed by its content."""
    with _readable():
        if "pixels" not in item:
            return _typed(_bytes(item["file"], shard), str(item["file_name"]))
        image = Image.fromarray(_array(item["pixels"], shard))
        buffer = io.BytesIO()
        # Level 1: a fifth of the time of the default for a tenth more bytes.
        image.save(buffer, "PNG", compress_level=1)
        return Encoded(buffer.getvalue(), "png", "image/png", image.width, image.height)


def _typed(data: bytes, name: str) -> Encoded:
    Image.MAX_IMAGE_PIXELS = LARGEST_PIXELS
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = (image.format or "bin").lower()
            return Encoded(
                data, kind, Image.MIME.get(image.format or "", "image/*"), image.width, image.height
            )
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        pass  # no picture that can be shown: stored as a file of another kind
    for signature, offset, extension, mime in _SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            return Encoded(data, extension, mime, None, None)
    suffix = Path(name).suffix.lstrip(".").lower()
    known = suffix if suffix.isalnum() and len(suffix) <= 8 else "bin"
    guessed = mimetypes.guess_type(f"x.{known}")[0] or "application/octet-stream"
    return Encoded(
        data, known, guessed if guessed.startswith("text/") else "application/octet-stream", None, None
    )


def _array(item: Mapping[str, Any], shard: Path) -> Any:
    return np.frombuffer(_bytes(item, shard), dtype=item["dtype"]).reshape(item["shape"])


def _bytes(item: Mapping[str, Any], shard: Path) -> bytes:
    if "data" in item:
        return bytes(item["data"])
    name = str(item["staged"])
    if os.path.basename(name) != name or not name.endswith(STAGED_SUFFIX):
        raise ValueError(f"{name!r} is no staged file")
    return Path(shard, name).read_bytes()
