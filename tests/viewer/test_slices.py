from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kohakuboard_viewer.slices import picture, slice_of


def test_a_slice_is_of_the_last_two_axes_at_a_place_of_the_others() -> None:
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    one = slice_of(array, [1, 2])
    assert one.numbers.tolist() == array[1, 2].tolist()
    assert (one.min, one.max, one.mean) == (100.0, 119.0, 109.5)
    assert list(slice_of(array, [9, -4]).at) == [1, 0]
    assert list(slice_of(array, []).at) == [0, 0]


@pytest.mark.parametrize(("shape", "rows"), [((), (1, 1)), ((7,), (1, 7)), ((2, 3), (2, 3))])
def test_what_has_fewer_axes_is_a_row(shape: tuple[int, ...], rows: tuple[int, int]) -> None:
    assert slice_of(np.ones(shape), []).numbers.shape == rows


def test_of_a_large_slice_every_so_many_numbers_are_taken() -> None:
    one = slice_of(np.zeros((5000, 20), np.float16), [])
    assert (one.numbers.shape, one.stride) == ((500, 20), (10, 1))


def test_what_is_not_finite_is_counted_and_shown() -> None:
    one = slice_of(np.array([[np.nan, np.inf], [-2.0, 1.0]]), [])
    assert (one.n_nonfinite, one.min, one.max) == (2, -2.0, 1.0)
    assert slice_of(np.full((2, 2), np.nan), []).mean is None
    pixels = np.asarray(Image.open(io.BytesIO(picture(one))))
    assert pixels[0, 0].tolist() == pixels[0, 1].tolist() == [0xD6, 0x27, 0x28, 255]
    below, above = pixels[1, 0], pixels[1, 1]
    assert below[0] > below[2]
    assert above[2] > above[0]
    assert (below[3], above[3]) == (255, 127)


def test_complex_and_boolean_numbers_have_a_picture() -> None:
    for array in (np.array([[3 + 4j]]), np.array([[True]])):
        assert Image.open(io.BytesIO(picture(slice_of(array, [])))).size == (1, 1)
    assert slice_of(np.array([[3 + 4j]]), []).max == 5
