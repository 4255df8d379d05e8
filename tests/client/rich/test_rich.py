"""What a Histogram, Media or Table cannot be made of is refused when it is logged, never where it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from kohakuboard.client.rich import Histogram, Media, Rich, Table
from kohakuboard.errors import RichValueError
from kohakuboard.journal.stage import Stage


class LostTensor:
    dtype = "float32"

    def detach(self) -> None:
        raise RuntimeError("the device is gone")


def grad_tensors() -> list[Any]:
    torch = pytest.importorskip("torch")
    return [torch.ones(3, requires_grad=True)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Histogram([1.0], bins="auto"), "bins must be"),  # type: ignore[arg-type]
        (lambda: Histogram([1.0], bins=10.5), "bins must be"),  # type: ignore[arg-type]
        (lambda: Histogram([1.0], bins=2**40), "bins must be"),
        (lambda: Histogram([1.0], range=(1, 0)), "range must be"),
        (lambda: Histogram([1.0], range=(0, float("inf"))), "range must be"),
        (lambda: Histogram([1.0], range=(0, 1, 2)), "range must be"),  # type: ignore[arg-type]
        (lambda: Histogram([1.0], range=(1, 0)).compute_bins(), "range must be"),
        (lambda: Histogram(LostTensor()), "the device is gone"),
        (lambda: Histogram(grad_tensors()), "it cannot be read"),
        (lambda: Histogram.from_bins([float("nan")], [0, 1]), "it cannot be read"),
        (lambda: Histogram.from_bins([1e30], [0, 1]), "64 bits"),
        (lambda: Media(LostTensor()), "the device is gone"),
        (lambda: Media("nul\0byte"), "Media"),
        (lambda: Table(None), "it cannot be read"),
        (lambda: Table([1], columns=["a"]), "it cannot be read"),
        (lambda: Table([[1]], columns=3), "it cannot be read"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_cannot_be_used_raises_only_when_it_is_logged(
    tmp_path: Path, make: Callable[[], Rich], words: str
) -> None:
    """Each of these once raised from its constructor, in the middle of training, or from compute_bins()."""
    value = make()
    with pytest.raises(RichValueError, match=words):
        value.to_item(Stage(tmp_path))


def test_a_staged_file_that_could_not_be_written_whole_is_removed(tmp_path: Path) -> None:
    """Of a source that could not be read an empty staged file stayed."""

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise ValueError("the source is gone")

    with pytest.raises(ValueError, match="is gone"):
        Stage(tmp_path).written(8, fail)
    assert not list(tmp_path.iterdir())


def test_bins_and_range_of_numpy_are_taken(tmp_path: Path) -> None:
    item = Histogram([1, 2], bins=np.int64(4), range=(np.float32(0), 4)).to_item(Stage(tmp_path))
    assert (type(item["bins"]), item["bins"], item["range"]) == (int, 4, (0.0, 4.0))
