"""Values by the bins they are in: counted by the writer, they are the histograms of np.histogram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard.client.rich.places import BLOCK, PIECE, SMALL, may_have_places, place_dtype, places, placing
from kohakuboard.journal.bins import Bins, count_bins
from kohakuboard.writer.rich.base import UnreadableItemError
from kohakuboard.writer.rich.histogram import histogram_of


def counted(arrays: list[Any], bins: int) -> list[Bins]:
    """Return what the writer makes of the places of arrays."""
    placed = [one for array in arrays if (one := placing(array, array.dtype.str)) is not None]
    assert len(placed) == len(arrays)
    data = b"".join(bytes(piece) for (piece,) in places(placed, bins))
    dtype = place_dtype(bins)
    assert len(data) == sum(array.size for array in arrays) * dtype.itemsize
    found: list[Bins] = []
    for array, low, high in placed:
        part, data = data[: array.size * dtype.itemsize], data[array.size * dtype.itemsize :]
        packed = {"dtype": dtype.str, "shape": [array.size], "data": part}
        found.append(histogram_of({"bins": bins, "low": low, "high": high, "places": packed}, Path()).bins)
    return found


def draws() -> list[Any]:
    draw = np.random.default_rng(0)
    sizes = (SMALL + 1, BLOCK, 3 * BLOCK + 7, SMALL + 2, PIECE + 9)
    return [draw.normal(i, 1 + i, size) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("bins", [1, 64, 300])
def test_places_are_counted_as_the_values_are(dtype: str, bins: int) -> None:
    arrays = [(array * 100).astype(dtype) for array in draws()]
    for array, found in zip(arrays, counted(arrays, bins), strict=True):
        alone = count_bins(array.astype("f8"), bins, None)
        np.testing.assert_array_equal(found.edges, alone.edges)
        assert found.counts.sum() == array.size
        # Of float32 a value in 10 000 lies within its rounding of an edge.
        assert abs(found.counts - alone.counts).sum() <= (2 + array.size * 4e-4 if dtype == "f4" else 0)


def test_an_array_that_is_small_or_whose_values_are_no_ordinary_floats_has_no_places() -> None:
    large = np.linspace(0.0, 1.0, SMALL + 1)
    for odd in (float("nan"), float("inf"), 1e308, -1e308):
        assert placing(np.append(large, odd) if odd > 0 else np.append(large, [odd, -odd]), "<f8") is None
    assert placing(np.full(SMALL + 1, 3.0), "<f8") is None
    assert placing(large, "<f8") is not None
    assert may_have_places(SMALL + 1, "<f8")
    assert not may_have_places(SMALL, "<f8")
    assert not may_have_places(SMALL + 1, "<i8")


def test_a_place_beyond_the_bins_is_refused() -> None:
    packed = {"dtype": "|u1", "shape": [2], "data": b"\x01\x0f"}
    with pytest.raises(UnreadableItemError, match="a value is in bin 15 of 8"):
        histogram_of({"bins": 8, "low": 0.0, "high": 1.0, "places": packed}, Path())
