"""Counting where the values are, tried on the CPU's tensors: the same operations, of the same library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Histogram, KernelDensity, Media, Tensor
from kohakuboard.client.rich import on_device
from kohakuboard.client.rich.on_device import count_on_device, is_elsewhere
from kohakuboard.journal.bins import count_bins
from kohakuboard.reader import open_run

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


on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@on_cuda
def test_a_gpu_counts_as_the_host_does_and_nobody_waits_for_it() -> None:
    """But for values within the rounding of an edge, which may go to the bin beside it."""
    tensors = [tensor.detach().cuda() for tensor in given()]
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        counts = count_on_device(tensors, 64)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for tensor, found in zip(given(), counts.wait(), strict=True):
        alone = count_bins(tensor.detach().double().reshape(-1).numpy(), 64, None)
        assert np.abs(found.counts - alone.counts).sum() <= 4
        assert found.counts.sum() == alone.counts.sum()
        np.testing.assert_allclose(found.edges, alone.edges, rtol=1e-12)
        assert found[2:] == alone[2:]


@on_cuda
def test_all_that_lies_on_a_gpu_is_logged_in_one_call() -> None:
    torch.manual_seed(0)
    values, picture = torch.randn(1000, device="cuda"), torch.rand(3, 8, 6, device="cuda")
    model = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.Linear(20, 1)).cuda()
    model(torch.ones(4, 30, device="cuda")).sum().backward()
    with Board(capture_output=False) as board:
        board.log(
            loss=values[0],
            counted=Histogram(values).compute_bins(),
            handed_over=Histogram(values),
            tensor=Tensor(values.bfloat16()),
            density=KernelDensity(values),
            picture=Media(picture),
        )
        board.log_gradients(model)
    run = open_run(board.path)
    host = values.cpu()
    expected = np.histogram(host.double().numpy(), 64)[0]
    assert run.series("loss").value.tolist() == [host[0].item()]
    for name in ("counted", "handed_over"):
        assert np.abs(run.histograms(name).counts[0] - expected).sum() <= 4, name
    (tensor,) = run.tensors("tensor")
    assert tuple(tensor.shape) == (1000,)
    assert len(run.densities("density")) == 1
    (entry,) = run.media("picture")
    assert (entry.width, entry.height) == (6, 8)
    grad = model[0].weight.grad.double().cpu().numpy()
    (name,) = [name for name in run.histogram_names() if "grad" in name and name.endswith("0.weight")]
    assert np.abs(run.histograms(name).counts[0] - np.histogram(grad, 64)[0]).sum() <= 4
    assert run.problems == []
