"""Counting where the values are, tried on the CPU's tensors: the same operations, of the same library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kohakuboard.client.rich import on_device
from kohakuboard.client.rich.on_device import count_on_device, is_elsewhere
from kohakuboard.journal.bins import count_bins

torch = pytest.importorskip("torch")


def given() -> list[Any]:
    torch.manual_seed(0)
    nan, inf = float("nan"), float("inf")
    return [
        torch.randn(2500),
        torch.zeros(0),
        torch.full((7,), 3.0, requires_grad=True),
        torch.tensor([1.0, nan, nan, nan, inf, inf, -inf, 2.0]),
        torch.randn(30, 50).bfloat16(),
        torch.arange(100),
        torch.randn(4, 5).double().T,
        torch.tensor([nan]),
        torch.rand(900) < 0.5,
    ]


@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_many_tensors_are_counted_in_one_pass_as_each_would_be_alone(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_device, "CHUNK", chunk)
    for tensor, found in zip(given(), count_on_device(given(), 64).wait(), strict=True):
        alone = count_bins(tensor.detach().double().reshape(-1).numpy(), 64, None)
        assert found.counts.tolist() == alone.counts.tolist()
        np.testing.assert_allclose(found.edges, alone.edges, rtol=1e-12)
        assert found[2:] == alone[2:]


def test_what_lies_beyond_a_given_range_is_not_counted() -> None:
    values = given()[0]
    (found,) = count_on_device([values], 10, (0.0, 1.0)).wait()
    assert found.counts.tolist() == np.histogram(values.numpy(), 10, range=(0, 1))[0].tolist()


def test_the_host_is_not_elsewhere() -> None:
    assert not is_elsewhere(torch.ones(3))
    assert not is_elsewhere(torch.ones(3, device="meta"))
    assert not is_elsewhere(np.ones(3))
