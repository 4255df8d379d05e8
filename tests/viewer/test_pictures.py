from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard_viewer.pictures import PictureError, coloured, reduced


def packed(array: Any, kind: str = "PNG", mode: str | None = None) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(array, mode).save(file, kind)
    file.seek(0)
    return file


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_a_picture_keeps_its_proportions_and_colours(kind: str) -> None:
    array = np.zeros((300, 600, 3), np.uint8)
    array[:, 300:] = (200, 0, 0)
    data, mime = reduced(packed(array, kind), 100)
    small = opened(data)
    assert (small.size, mime) == ((100, 50), "image/jpeg")
    left, right = np.asarray(small)[25, 10], np.asarray(small)[25, 90]
    assert left.max() < 20
    assert abs(int(right[0]) - 200) < 12


def test_what_is_transparent_stays_so() -> None:
    array = np.zeros((40, 40, 4), np.uint8)
    array[:20] = (0, 255, 0, 255)
    data, mime = reduced(packed(array), 20)
    alpha = np.asarray(opened(data))[..., 3]
    assert mime == "image/png"
    assert (alpha[2, 5], alpha[17, 5]) == (255, 0)


def test_a_small_picture_is_not_made_larger() -> None:
    assert opened(reduced(packed(np.zeros((5, 9), np.uint8)), 100)[0]).size == (9, 5)


def test_sixteen_bits_are_shown_from_the_lowest_to_the_highest() -> None:
    array = np.linspace(1000, 1400, 64 * 64).reshape(64, 64).astype(np.uint16)
    gray = np.asarray(opened(reduced(packed(array), 64)[0]).convert("L"))
    assert gray[0, 0] < 10
    assert gray[-1, -1] > 245


def bomb(width: int, height: int) -> io.BytesIO:
    """Return a PNG whose header promises more pixels than it has."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 10_000)
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("file", "status"),
    [
        (bomb(50_000, 50_000), 413),
        (bomb(11_000, 11_000), 413),
        (io.BytesIO(b"no picture"), 422),
        (io.BytesIO(b""), 422),
        (io.BytesIO(packed(np.zeros((90, 90, 3), np.uint8), "JPEG").getvalue()[:500]), 422),
    ],
)
def test_bombs_and_what_is_broken_are_refused(file: io.BytesIO, status: int) -> None:
    with pytest.raises(PictureError) as raised:
        reduced(file, 100)
    assert raised.value.status == status


def test_each_class_has_its_colour_and_hidden_ones_none() -> None:
    mask = packed(np.array([[0, 1], [2, 3]], np.uint8))
    shown = np.asarray(opened(coloured(mask)).convert("RGBA"))
    assert shown[..., 3].tolist() == [[0, 255], [255, 255]]
    assert shown[0, 1, :3].tolist() == [230, 159, 0]
    mask.seek(0)
    hidden = np.asarray(opened(coloured(mask, {2})).convert("RGBA"))
    assert hidden[..., 3].tolist() == [[0, 255], [0, 255]]
