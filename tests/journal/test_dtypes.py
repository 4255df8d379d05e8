from __future__ import annotations

import numpy as np
import pytest

from kohakuboard.journal.dtypes import BITS, values_of


@pytest.mark.parametrize("name", BITS)
def test_each_bit_pattern_stands_for_the_number_that_torch_says(name: str) -> None:
    torch = pytest.importorskip("torch")
    bits = np.arange(65536 if name == "bfloat16" else 256).astype(BITS[name])
    theirs = torch.from_numpy(bits.copy()).view(getattr(torch, name)).float().numpy()
    np.testing.assert_array_equal(values_of(bits, name), theirs)


def test_what_numpy_knows_is_left_as_it_is() -> None:
    array = np.arange(3.0)
    assert values_of(array, "<f8") is array
