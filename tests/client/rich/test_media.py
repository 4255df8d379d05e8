"""What Media takes and what it refuses, in the process that trains."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard.client.rich import Figure, Media
from kohakuboard.client.rich.pixels import LARGEST_BYTES
from kohakuboard.client.values import rich_values
from kohakuboard.errors import RichValueError
from kohakuboard.journal.stage import Stage

PIXELS = np.zeros((4, 6, 3), dtype=np.uint8)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, LARGEST_BYTES + 1)


def special_files() -> dict[str, Callable[[Path], object]]:
    return {
        "directory": lambda path: path.mkdir(),
        "fifo": lambda path: os.mkfifo(path),
        "loop": lambda path: path.symlink_to(path),
        "empty": lambda path: path.touch(),
        "dangling": lambda path: path.symlink_to("nowhere"),
        "huge": sparse,
    }


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("directory", "is a directory; pass the path of a file"),
        ("fifo", "no regular file"),
        ("loop", "symbolic links"),
        ("empty", "is empty"),
        ("dangling", "there is no file"),
        ("huge", "no more than 537 MB are copied"),
    ],
)
def test_a_path_of_no_usable_file_is_refused_in_words(tmp_path: Path, what: str, words: str) -> None:
    path = tmp_path / what
    special_files()[what](path)
    with pytest.raises(RichValueError, match=words):
        Media(path).to_item(Stage(tmp_path))
    assert not list(tmp_path.glob("*.staged"))


@pytest.mark.parametrize(
    ("media", "words"),
    [
        (Media(np.zeros((2, 2, 5))), r"\(2, 2, 5\)"),
        (Media(np.zeros((0, 4, 3))), "its shape"),
        (Media(np.zeros(7)), "its shape"),
        (Media([PIXELS, PIXELS[:2]]), "differ in shape; log each by itself"),
        (Media(np.full((2, 2), 300)), "0 … 255"),
        (Media(np.full((2, 2), -1)), "0 … 255"),
        (Media(np.zeros((2, 2), dtype=complex)), "dtype"),
        (Media(np.array([["a"]])), "dtype"),
        (Media(np.zeros((2, 2), dtype=object)), "dtype"),
        (Media(Image.new("RGB", (0, 3))), "empty"),
        (Media(Image.fromarray(np.full((2, 2), 70_000, dtype=np.int32))), "0 … 255"),
        (Media(b""), "empty"),
        (Media(object()), "pass an image, an array"),
        (Media(None), "pass an image, an array"),
        (Media(np.zeros(9), sample_rate=0), "sample_rate must be"),
        (Media(np.zeros(9), sample_rate="8k"), "sample_rate must be"),  # type: ignore[arg-type]
        (Media(np.zeros((99, 99)), sample_rate=8000), "audio is n"),
        (Media(np.zeros(0), sample_rate=8000), "audio is n"),
        (Media(np.zeros(9, dtype=np.int64), sample_rate=8000), "its dtype is int64; pass floats"),
        (Media(np.zeros((3, 4)), fps=4, format="gif"), "a video is T"),
        (Media(np.zeros((3, 4, 4)), fps=0), "fps must be"),
        (Media(np.zeros((3, 4, 4)), fps=float("nan")), "fps must be"),
        (Media(np.zeros((3, 4, 4)), fps=1, format="avi"), "format must be one of"),
        (Media(PIXELS, boxes=[[0, 0, 1, 1]]), "a box is"),
        (Media(PIXELS, boxes=[{"box": [0, 0, 1]}]), "four finite numbers"),
        (Media(PIXELS, boxes=[{"box": [0, 0, 1, float("nan")]}]), "four finite numbers"),
        (Media(PIXELS, boxes=[{"box": [0, 0, 1, 1], "name": "cat"}]), r"a box has no \['name'\]"),
        (Media(PIXELS, masks={"m": np.zeros((4, 5), dtype=int)}), r"mask 'm' is \(4, 5\), and the image \(4, 6\)"),
        (Media(PIXELS, masks={"m": np.zeros((4, 6))}), "a mask is H×W integers"),
        (Media(PIXELS, masks={"m": np.full((4, 6), -1)}), "beyond 0 … 65535"),
        (Media(PIXELS, classes={"cat": 1}), "it cannot be read"),
        (Figure(PIXELS), "pass a figure of matplotlib or Plotly"),
        (Figure({"data": []}, format="pdf"), 'must be "svg" or "png"'),
    ],
)  # fmt: skip
def test_what_is_no_picture_sound_or_plot_is_refused_in_words(
    tmp_path: Path, media: Media | Figure, words: str
) -> None:
    with pytest.raises(RichValueError, match=words):
        media.to_item(Stage(tmp_path))


def test_a_value_is_read_when_it_is_logged_and_not_kept_alive_after(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6), dtype=np.uint8)
    media = Media(pixels)
    pixels[:] = 1
    item = media.to_item(Stage(tmp_path))
    pixels[:] = 2
    assert item["pixels"]["data"] == b"\1" * 24


def test_an_array_is_handed_over_as_it_is(tmp_path: Path) -> None:
    floats = np.linspace(0, 1, 3 * 200 * 200, dtype=np.float32).reshape(3, 200, 200)
    item = Media(floats.transpose(1, 2, 0)).to_item(Stage(tmp_path))
    assert (item["pixels"]["layout"], item["pixels"]["dtype"]) == ("CHW", "<f4")
    assert (tmp_path / item["pixels"]["staged"]).read_bytes() == floats.tobytes()


@pytest.mark.parametrize(
    ("shape", "of_tensor", "layout"),
    [
        ((5, 6), False, "HW"),
        ((5, 6, 3), False, "HWC"),
        ((3, 5, 6), False, "CHW"),
        ((3, 5, 3), False, "HWC"),
        ((3, 5, 3), True, "CHW"),
        ((2, 5, 6, 1), False, "NHWC"),
        ((2, 4, 5, 6), True, "NCHW"),
    ],
)
def test_axes_are_told_by_their_lengths_and_torch_has_channels_first(
    tmp_path: Path, shape: tuple[int, ...], of_tensor: bool, layout: str
) -> None:
    value: Any = np.zeros(shape)
    if of_tensor:
        value = pytest.importorskip("torch").zeros(shape)
    assert Media(value).to_item(Stage(tmp_path))["pixels"]["layout"] == layout


def test_an_opened_file_that_was_not_touched_is_handed_over_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (8, 8), "red").save(path)
    with Image.open(path) as image:
        item = Media(image).to_item(Stage(tmp_path))
        assert item["file"]["data"] == path.read_bytes()
        image.putpixel((0, 0), (0, 0, 255))
        assert "raster" in Media(image).to_item(Stage(tmp_path))


def test_an_animation_is_handed_over_whole_and_a_frame_of_it_alone(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 99, 200)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with Image.open(buffer) as image:
        assert Media(image).to_item(Stage(tmp_path))["file"]["data"] == buffer.getvalue()
        image.seek(1)
        assert "file" not in Media(image).to_item(Stage(tmp_path))


def test_images_can_be_logged_bare_and_numbers_are_none() -> None:
    image = Image.new("L", (2, 2))
    assert [type(value) for value in rich_values([image, Media(PIXELS)])] == [Media, Media]
    assert not any(map(rich_values, ([3, None], [], PIXELS, 1.5, None, "0.5")))


def test_a_file_that_is_changed_after_it_was_logged_is_stored_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(100_000))
    item = Media(str(path)).to_item(Stage(tmp_path))
    path.write_bytes(b"changed")
    assert (tmp_path / item["file"]["staged"]).read_bytes()[4:12] == b"ftypisom"
    assert (tmp_path / item["file"]["staged"]).stat().st_size == 100_012


def test_a_video_of_frames_is_refused_with_the_cure_where_there_is_no_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(sys.modules, "imageio_ffmpeg", raising=False)
    with pytest.raises(RichValueError, match=r'pip install "kohakuboard\[video\]", or pass format="gif"'):
        Media(np.zeros((3, 4, 4)), fps=4).to_item(Stage(tmp_path))
    assert Media(np.zeros((3, 4, 4)), fps=4, format="gif").to_item(Stage(tmp_path))["form"] == "gif"
