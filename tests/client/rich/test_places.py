"""Values by the bins they are in: counted by the writer, they are the histograms of np.histogram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard.client.rich.numbers import Numbers
from kohakuboard.client.rich.places import BLOCK, PIECE, SMALL, Places
from kohakuboard.journal.bins import Bins, count_bins
from kohakuboard.writer.rich.base import UnreadableItemError
from kohakuboard.writer.rich.histogram import histogram_of


def counted(arrays: list[Any], bins: int) -> list[Bins]:
    """Return what the writer makes of arrays, in their order."""
    places = Places([Numbers(array, array.dtype.str) for array in arrays], bins)
    data = b"".join(map(bytes, places.pieces()))
    assert len(data) == places.n_bytes
    found: dict[int, Bins] = {}
    for number, n, low, high in places.placed:
        part, data = data[: n * places.dtype.itemsize], data[n * places.dtype.itemsize :]
        packed = {"dtype": places.dtype.str, "shape": [n], "data": part}
        item = {"bins": bins, "low": low, "high": high, "places": packed}
        found[number] = histogram_of(item, Path()).bins
    return [found[number] for number in range(len(arrays))]


def draws() -> list[Any]:
    draw = np.random.default_rng(0)
    sizes = (1, 2, 16, SMALL, SMALL + 1, BLOCK, 3 * BLOCK + 7, 900, 5000, PIECE + 9)
    return [draw.normal(i, 1 + i, size) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i4"])
@pytest.mark.parametrize("bins", [1, 64, 300])
def test_places_are_counted_as_the_values_are(dtype: str, bins: int) -> None:
    arrays = [(array * 100).astype(dtype) for array in draws()]
    for array, found in zip(arrays, counted(arrays, bins), strict=True):
        alone = count_bins(array.astype("f8"), bins, None)
        np.testing.assert_array_equal(found.edges, alone.edges)
        assert found.counts.sum() == array.size
        # Of float32 a value in 10 000 lies within its rounding of an edge.
        assert abs(found.counts - alone.counts).sum() <= (2 + array.size * 4e-4 if dtype == "f4" else 0)


def test_values_of_any_kind_are_placed_beside_others() -> None:
    nan, inf = float("nan"), float("inf")
    odd = [
        [nan, nan],
        [1.0, inf, -inf, nan, 2.0, inf],
        [3.0] * 5,
        [0.0] * 3000,
        [-3e38, 0.0, 3e38],
        [0.0, 1e-42, 2e-42],
        [1e9, 1e9 + 128],
    ]
    arrays = [np.array(values, dtype="f4") for values in odd]
    arrays = [one for array in arrays for one in (array, np.arange(7, dtype="f4"))]
    for array, found in zip(arrays, counted(arrays, 8), strict=True):
        alone = count_bins(array.astype("f8"), 8, None)
        assert found.counts.tolist() == alone.counts.tolist(), array
        np.testing.assert_array_equal(found.edges, alone.edges)
        assert found[2:] == alone[2:]


def test_arrays_of_any_order_in_memory_are_read() -> None:
    array = np.arange(6000.0).reshape(60, 100)
    for one in (array.T, array[::2, ::3], np.float32(3.0).reshape(()), array[::-1]):
        (found,) = counted([one], 10)
        assert found.counts.tolist() == count_bins(one.ravel().astype("f8"), 10, None).counts.tolist()


def test_a_place_beyond_the_bins_is_refused() -> None:
    packed = {"dtype": "|u1", "shape": [2], "data": b"\x01\x0f"}
    with pytest.raises(UnreadableItemError, match="a value is in bin 15 of 8"):
        histogram_of({"bins": 8, "low": 0.0, "high": 1.0, "places": packed}, Path())
