"""Pixels of Pillow images: those that come out of the journal are those that went in, however they lay in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard.client.rich.raster import raster_of as handed_over
from kohakuboard.journal.stage import Stage
from kohakuboard.writer.rich.pixels import raster_of as read_back

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 401, 4), dtype=np.uint8)
WIDE = np.random.default_rng(0).integers(0, 256, (2100, 2100, 3), dtype=np.uint8)
IMAGES: dict[str, Any] = {
    "colour": lambda: Image.fromarray(PIXELS[..., :3].copy()),
    "with transparency": lambda: Image.fromarray(PIXELS).copy(),
    "gray": lambda: Image.fromarray(PIXELS[..., 0].copy()).copy(),
    "another's memory": lambda: Image.fromarray(PIXELS),
    "another's gray memory": lambda: Image.fromarray(PIXELS[..., 0].copy()),
    "a part of one": lambda: Image.fromarray(PIXELS[..., :3].copy()).crop((20, 10, 380, 290)),
    "in several blocks": lambda: Image.fromarray(WIDE),
    "small": lambda: Image.fromarray(PIXELS[:9, :9, :3].copy()),
    "black and white": lambda: Image.fromarray(PIXELS[..., 0].copy()).convert("1"),
    "of a palette": lambda: Image.fromarray(PIXELS[..., :3].copy()).quantize(16),
    "gray of 16 bits": lambda: Image.fromarray(PIXELS[..., :2].copy().view("<u2")[..., 0]),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_comes_out_as_it_went_in(kind: str, tmp_path: Path) -> None:
    image = IMAGES[kind]()
    back = read_back(handed_over(image, Stage(tmp_path)), tmp_path)
    assert (back.mode, back.size) == (image.mode, image.size)
    assert back.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


@pytest.mark.parametrize("kind", ["colour", "with transparency", "gray"])
def test_pixels_are_staged_from_where_they_lie(kind: str, tmp_path: Path) -> None:
    image = IMAGES[kind]()
    if not hasattr(image, "__arrow_c_array__"):
        pytest.skip("this Pillow does not tell where its pixels lie")
    stage = Stage(tmp_path)
    handed_over(image, stage)
    tracemalloc.start()
    try:
        item = handed_over(image, stage)
        assert tracemalloc.get_traced_memory()[1] < 60_000
    finally:
        tracemalloc.stop()
    assert item["form"] in ("RGBX", "RGBA", "L")
