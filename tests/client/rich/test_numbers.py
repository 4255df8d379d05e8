"""Numbers are taken out of whatever holds them, and are not copied where that can be helped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard.client.rich.numbers import numbers
from kohakuboard.errors import RichValueError
from kohakuboard.journal.dtypes import values_of
from kohakuboard.journal.stage import INLINE_BYTES, Stage


def tensor(*values: float) -> Any:
    return pytest.importorskip("torch").tensor(values)


def test_an_array_and_a_tensor_are_borrowed() -> None:
    array = np.zeros(3)
    assert np.shares_memory(numbers("Tensor", array).array, array)
    ones = tensor(1, 2).float()
    assert np.shares_memory(numbers("Tensor", ones.requires_grad_()).array, ones.detach().numpy())


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_a_type_that_numpy_has_not_travels_as_bits(name: str) -> None:
    torch = pytest.importorskip("torch")
    found = numbers("Tensor", tensor(0.5, -2.0, 3.0).to(getattr(torch, name)))
    assert found.dtype == name
    assert values_of(found.array, found.dtype).tolist() == [0.5, -2.0, 3.0]


def test_a_conjugate_view_is_resolved() -> None:
    assert (
        numbers(
            "Tensor", tensor(1).to(dtype=pytest.importorskip("torch").complex64).mul(1j).conj(), "c"
        ).array
        == -1j
    )


def test_sparse_tensors_and_text_are_refused_with_the_cure() -> None:
    with pytest.raises(RichValueError, match=r"sparse; pass its values, or tensor.to_dense"):
        numbers("Histogram", tensor(1.0, 0.0).to_sparse())
    with pytest.raises(RichValueError, match="dtype is <U1; pass numbers"):
        numbers("Histogram", ["a"])
    with pytest.raises(RichValueError, match="pass an array of numbers"):
        numbers("Histogram", [[1.0], [1.0, 2.0]])
    with pytest.raises(RichValueError, match="complex128"):
        numbers("Histogram", [1j])


def test_large_numbers_are_staged_behind_their_header_in_the_order_of_their_axes(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(2 * INLINE_BYTES).reshape(-1, 2))
    item = numbers("Tensor", array).item(Stage(tmp_path), b"head")
    assert (item["dtype"], item["shape"]) == ("<i8", [INLINE_BYTES, 2])
    assert (tmp_path / item["staged"]).read_bytes() == b"head" + array.tobytes()
    assert (
        numbers("Tensor", array[:1]).item(Stage(tmp_path), b"head")["data"] == b"head" + array[:1].tobytes()
    )
