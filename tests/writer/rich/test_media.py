"""What the writer makes of media that training handed over as they were."""

from __future__ import annotations

import io
import os
import shutil
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard.client.rich import Figure, Media
from kohakuboard.journal.encoder import has_ffmpeg
from kohakuboard.journal.stage import Stage
from kohakuboard.reader import MediaEntry
from kohakuboard.storage.media import HALF_SUFFIX, SMALL_BYTES, MediaStore
from kohakuboard.writer.rich import encode
from tests.writer.rich.storing import stored

DRAW = np.random.default_rng(0)
PIXELS = DRAW.integers(0, 256, (24, 36, 3), dtype=np.uint8)
LARGE = DRAW.integers(0, 256, (300, 400, 3), dtype=np.uint8)


@pytest.fixture
def entry(tmp_path: Path) -> Callable[[Any], MediaEntry]:
    """Return what logs one value, and reads back what was stored."""
    return lambda value: stored(tmp_path / "run", {"m": value}).media("m")[0]


def shown(entry: MediaEntry) -> Any:
    with entry.open() as file, Image.open(file) as image:
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def in_torch(make: Callable[[Any], Any]) -> Any:
    torch = pytest.importorskip("torch")
    return make(torch.from_numpy(PIXELS.copy()))


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda: PIXELS, 0),
        (lambda: PIXELS.transpose(2, 0, 1), 0),
        (lambda: PIXELS[::-1][::-1], 0),
        (lambda: PIXELS.astype(np.int64), 0),
        (lambda: PIXELS / 255, 0),
        (lambda: (PIXELS / 255).astype(">f4"), 0),
        (lambda: (PIXELS / 255).astype(np.float16), 1),
        (lambda: in_torch(lambda t: t.permute(2, 0, 1)), 0),
        (lambda: in_torch(lambda t: (t.permute(2, 0, 1) / 255).requires_grad_()), 0),
        (lambda: in_torch(lambda t: (t / 255).half().permute(2, 0, 1)), 1),
        (lambda: in_torch(lambda t: (t / 255).bfloat16().permute(2, 0, 1).contiguous()), 2),
        (lambda: Image.fromarray(PIXELS), 0),
    ],
)
def test_pixels_of_any_usual_form_become_the_same_picture(
    entry: Callable[[Any], MediaEntry], make: Callable[[], Any], tolerance: int
) -> None:
    found = entry(Media(make()))
    assert (found.mime, found.kind, found.width, found.height) == ("image/png", "image", 36, 24)
    assert np.abs(shown(found).astype(int) - PIXELS).max() <= tolerance
    assert found.note is None


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
)
def test_pillow_images_of_every_mode_are_stored(entry: Callable[[Any], MediaEntry], mode: str) -> None:
    source = Image.fromarray(PIXELS)
    image = source.convert("L").convert(mode) if mode in ("I;16", "I", "F") else source.convert(mode)
    if mode == "F":
        image = image.point(lambda value: value * (1 / 255) + 0)
    found = Image.fromarray(shown(entry(image))).convert("RGB")
    expected = image.convert("RGB") if mode not in ("I;16", "I", "F") else source.convert("L").convert("RGB")
    if mode != "I;16":  # which Pillow itself turns into RGB by cutting it off
        assert np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max() <= 1


def test_a_palette_with_transparency_keeps_both(entry: Callable[[Any], MediaEntry]) -> None:
    image = Image.fromarray(PIXELS).quantize(4)
    image.info["transparency"] = 0
    assert (shown(entry(image)) == np.asarray(image.convert("RGBA"))).all()


def test_16_bits_of_pillow_stay_16_bits(entry: Callable[[Any], MediaEntry]) -> None:
    deep = np.array([[0, 300], [40_000, 65_535]], dtype=np.uint16)
    assert (shown(entry(Media(Image.fromarray(deep)))) == deep).all()


def test_a_batch_becomes_one_grid(entry: Callable[[Any], MediaEntry]) -> None:
    batch = np.stack([np.full((10, 20, 3), shade, dtype=np.uint8) for shade in range(10, 70, 10)])
    found = shown(entry(Media(batch)))
    assert found.shape == (34, 42, 3)
    assert found[::12, ::22, 0].tolist() == [[10, 20], [30, 40], [50, 60]]


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (Media(np.full((2, 2), np.nan)), "are NaN or infinite"),
        (Media(np.array([[0, np.inf]])), "are NaN or infinite"),
        (Media(np.full((2, 2), 255.0)), "go beyond 0 … 1"),
        (Media(np.full(9, 2.0), sample_rate=8000), "go beyond -1 … 1"),
        (Media(np.full(9, np.nan), sample_rate=8000), "are silent"),
        (Media(b"\x89PNG\r\n\x1a\n" + b"garbage" * 9), "begins as PNG does, and cannot be read"),
        (Media(b"\xff\xd8\xff\xe0"), "begins as JPEG does"),
    ],
)  # fmt: skip
def test_what_only_the_writer_sees_is_noted_once_and_the_value_kept(
    tmp_path: Path, value: Media, note: str
) -> None:
    run = stored(tmp_path / "run", {"m": value}, {"m": value}, {"m": value, "other": Media(PIXELS)})
    assert len(run.media("m")) == 3
    assert note in (run.media("m")[0].note or "")
    (problem,) = run.problems
    assert problem.startswith("media 'm': ")
    assert note in problem
    assert run.media("m")[0].read()


def test_a_picture_that_would_take_all_memory_is_not_unpacked_and_kept_as_a_file(
    entry: Callable[[Any], MediaEntry],
) -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    found = entry(Media(buffer.getvalue()))
    assert (found.kind, found.mime) == ("file", "application/octet-stream")
    assert "20000 × 20000 pixels are too many" in (found.note or "")
    assert found.read() == buffer.getvalue()


def test_a_file_that_is_called_a_picture_and_is_none_is_named(tmp_path: Path) -> None:
    source = tmp_path / "picture.jpg"
    source.write_text("not a picture")
    run = stored(tmp_path / "run", {"m": Media(source)})
    assert run.media()[0].mime == "text/plain"
    assert run.problems == ["media 'm': it is kept as a file: 'picture.jpg' is no image that is known"]


def test_a_staged_file_becomes_media_without_being_copied(tmp_path: Path) -> None:
    """A video of 1 GB was read into the writer's memory, twice."""
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"\0\0\0\x20ftypisom" + os.urandom(SMALL_BYTES))
    (tmp_path / "stage").mkdir()
    item = {**Media(source).to_item(Stage(tmp_path / "stage")), "name": "m", "index": 0}
    media = MediaStore(tmp_path, tmp_path / "media.db")
    row: Any = encode(item, tmp_path / "stage", media)
    again: Any = encode(item, tmp_path / "stage", media)
    media.close()
    (stored_as,) = tmp_path.glob("media/*/*")
    assert stored_as.name == f"{row.hash}.mp4" == f"{again.hash}.mp4"
    assert stored_as.samefile(tmp_path / "stage" / item["file"]["staged"])
    assert stored_as.read_bytes() == source.read_bytes()


def test_half_written_files_of_a_killed_writer_are_cleared_away(tmp_path: Path) -> None:
    media = MediaStore(tmp_path, tmp_path / "media.db")
    with media.scratch() as path:
        path.write_bytes(b"x")
        shutil.copy(path, old := path.with_name(f"old{HALF_SUFFIX}"))
        os.utime(old, (0, 0))
        media.check()
        assert path.exists()
        assert not old.exists()
    assert not path.exists()


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_frames_become_an_animation_without_any_encoder(
    entry: Callable[[Any], MediaEntry], form: str
) -> None:
    frames = np.stack([np.full((3, 8, 8), shade, dtype=np.uint8) for shade in (0, 128, 255)])
    found = entry(Media(frames, fps=10, format=form))
    assert (found.extension, found.kind, found.width, found.height) == (form, "image", 8, 8)
    assert found.duration_s == pytest.approx(0.3)
    with Image.open(io.BytesIO(found.read())) as image:
        assert getattr(image, "n_frames", 1) == 3


@pytest.mark.skipif(not has_ffmpeg(), reason="there is no ffmpeg")
@pytest.mark.parametrize("shape", [(5, 15, 21), (5, 15, 21, 3), (5, 3, 15, 21)])
def test_frames_become_mp4_by_ffmpeg_and_the_same_bytes_each_time(
    entry: Callable[[Any], MediaEntry], shape: tuple[int, ...]
) -> None:
    frames = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    found = entry(Media(frames, fps=10))
    assert (found.mime, found.kind, found.width, found.height, found.duration_s) == (
        "video/mp4", "video", 21, 15, 0.5,
    )  # fmt: skip
    assert entry(Media(frames, fps=10)).hash == found.hash


@pytest.mark.parametrize(
    ("samples", "channels", "expected"),
    [
        (np.array([0, 0.5, -1, 1]), 1, [0, 16384, -32767, 32767]),
        (np.array([[0.0, 1], [0, 1], [0, 1]]), 2, [0, 32767] * 3),
        (np.array([[0.0, 0, 0], [1, 1, 1]], dtype=np.float32), 2, [0, 32767] * 3),
        (np.array([1, -2, 3], dtype=">i2"), 1, [1, -2, 3]),
    ],
)
def test_samples_become_wav(
    entry: Callable[[Any], MediaEntry], samples: Any, channels: int, expected: list[int]
) -> None:
    found = entry(Media(samples, sample_rate=8000))
    assert (found.mime, found.kind) == ("audio/wav", "audio")
    with wave.open(io.BytesIO(found.read())) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (channels, 8000, 2)
        assert np.frombuffer(file.readframes(9), dtype="<i2").tolist() == expected
        assert found.duration_s == file.getnframes() / 8000


def test_a_figure_is_one_whatever_it_was_drawn_as(entry: Callable[[Any], MediaEntry]) -> None:
    found = entry(Figure({"data": [{"y": [1, 2]}]}))
    assert (found.kind, found.mime) == ("figure", "application/vnd.plotly.v1+json")
    assert found.read() == b'{"data": [{"y": [1, 2]}]}'


def test_large_pixels_of_pillow_and_numpy_are_the_same_media(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", {"a": Media(LARGE), "b": Image.fromarray(LARGE), "c": Media(LARGE / 255)})
    assert len({found.hash for found in run.media()}) == 1
    assert (shown(run.media("b")[0]) == LARGE).all()
    assert run.media("a")[0].path is not None
