"""What is read back of media: where they were logged, what lies over them, and their bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kohakuboard.client.rich import Figure, Media
from kohakuboard.reader import Run
from tests.writer.rich.storing import stored

DRAW = np.random.default_rng(1)
PIXELS = DRAW.integers(0, 256, (10, 20, 3), dtype=np.uint8)
LABELS = DRAW.integers(0, 3, (10, 20))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    over = Media(
        PIXELS,
        boxes={
            "truth": [{"box": np.array([1, 2, 3, 4]), "class_id": np.int64(1), "score": 0.5}],
            "guess": [{"box": [0, 0, 0.5, 0.5], "label": "dog"}],
        },
        masks={"labels": LABELS, "many": LABELS * 1000},
        classes=["sky", "cat"],
    )
    large = Media(DRAW.integers(0, 256, (400, 400, 3), dtype=np.uint8))
    plot = Figure({"data": []}, "loss")
    return stored(
        tmp_path / "run", {"a": [Media(PIXELS, "one"), over]}, {"a": Media(PIXELS), "b": large, "plot": plot}
    )


def test_media_are_found_by_name_and_step(run: Run) -> None:
    found = [(entry.name, entry.step, entry.position) for entry in run.media()]
    assert found == [("a", 0, 0), ("a", 0, 1), ("a", 1, 0), ("b", 1, 0), ("plot", 1, 0)]
    assert [entry.position for entry in run.media("a", 0)] == [0, 1]
    assert [entry.name for entry in run.media(step=1)] == ["a", "b", "plot"]
    assert [entry.caption for entry in run.figures()] == ["loss"]
    assert run.figures("a") == run.media("a", 7) == run.media("nothing") == []


def test_one_picture_is_stored_once_and_is_there_at_each_of_its_steps(run: Run) -> None:
    assert len({entry.hash for entry in run.media("a")}) == 1
    assert [entry.time for entry in run.media("a")] == sorted(entry.time for entry in run.media("a"))
    assert len(run.media("a")[0].read()) == run.media("a")[0].n_bytes


def test_what_lies_over_an_image_comes_back_in_pixels(run: Run) -> None:
    entry = run.media("a", 0)[1]
    assert entry.boxes == [
        {"box": [1, 2, 3, 4], "class_id": 1, "label": None, "score": 0.5, "group": "truth"},
        {"box": [0, 0, 10, 5], "class_id": None, "label": "dog", "score": None, "group": "guess"},
    ]
    assert [entry.label(number) for number in (0, 1, 2, None)] == ["sky", "cat", "2", None]
    for name, factor in (("labels", 1), ("many", 1000)):
        mask = np.asarray(Image.open(io.BytesIO(entry.masks[name].read())))
        assert (mask == LABELS * factor).all()
    assert run.media("a", 1)[0].boxes == []


def test_large_media_are_a_file_and_small_ones_are_read_the_same_way(run: Run) -> None:
    small, large = run.media("a")[0], run.media("b")[0]
    assert small.path is None
    assert large.path is not None
    assert large.path.read_bytes() == large.read()
    for entry in (small, large):
        with entry.open() as file:
            assert file.read() == entry.read()


def test_bytes_are_found_by_an_address_that_anybody_may_have_written(run: Run) -> None:
    mask = run.media("a", 0)[1].masks["labels"]
    found = run.stored(mask.hash, "png")
    assert found is not None
    assert (found.read(), found.mime) == (mask.read(), "image/png")
    for digest, extension in (
        ("../run", "db"),
        (mask.hash, "../x"),
        (mask.hash.upper(), "png"),
        (mask.hash, ""),
    ):
        assert run.stored(digest, extension) is None
    lost = run.stored("0" * 64, "png")
    assert lost is not None
    with pytest.raises(FileNotFoundError, match="are missing from"):
        lost.open()
