"""Gradients and parameters of a model, logged in one call, and by a board that watches it."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Histogram
from kohakuboard.client.rich.base import Rich
from kohakuboard.client.rich.histogram import counted_item
from kohakuboard.client.rich.places import SMALL
from kohakuboard.client.rich.together import TINY, Histograms
from kohakuboard.client.values import encode_rich
from kohakuboard.errors import BoardClosedError
from kohakuboard.journal.bins import count_bins
from kohakuboard.journal.bodies import decode_rich
from kohakuboard.journal.stage import Stage
from kohakuboard.reader import Run, open_run
from kohakuboard.writer.rich.histogram import histogram_of

torch = pytest.importorskip("torch")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board("watch", base_dir=tmp_path, capture_output=False)
    yield board
    board.finish()


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(40, 500), torch.nn.ReLU(), torch.nn.Linear(500, 3))
    model[2].bias.requires_grad_(False)
    return model


def backward(model: Any) -> None:
    model.zero_grad()
    model(torch.randn(8, 40)).square().mean().backward()


def finished(board: Board) -> Run:
    board.finish()
    return open_run(board.path)


def test_the_gradients_of_a_model_are_counted_as_one_by_one(board: Board, model: Any) -> None:
    backward(model)
    model[0].bias.grad[0] = float("nan")
    grads = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    board.log_gradients(model, step=7)
    board.log({f"alone/{name}": Histogram(grad) for name, grad in grads.items()}, step=7)
    model.zero_grad()
    run = finished(board)
    assert run.histogram_names() == sorted(f"{kind}/{name}" for kind in ("alone", "grad") for name in grads)
    assert "grad/2.bias" not in run.histogram_names()
    for name in grads:
        ours, alone = run.histograms(f"grad/{name}"), run.histograms(f"alone/{name}")
        assert ours.step.tolist() == [7]
        np.testing.assert_array_equal(ours.edges, alone.edges)
        assert ours.n_nan.tolist() == alone.n_nan.tolist()
        # A value within the rounding of an edge may be on its other side.
        assert ours.counts.sum() == alone.counts.sum()
        assert abs(ours.counts - alone.counts).sum() <= 4
    assert run.histograms("grad/0.bias").n_nan.tolist() == [1]
    assert not list(run.path.glob("journal/*"))


def ungrouped_counts(arrays: dict[str, Any], bins: int, stage: Path) -> dict[str, Any]:
    """Return what the writer makes of tensors that were handed over together."""
    stage.mkdir()
    items = Histograms(arrays.items(), bins, "exact").to_items("all", 0, Stage(stage))
    (scalars, found) = decode_rich(encode_rich({}, items))
    assert not scalars
    assert len([*stage.iterdir()]) <= 1
    return {item["name"]: histogram_of(item, stage).bins for item in found}


@pytest.mark.parametrize("bins", [8, 300])
def test_tensors_of_any_kind_are_counted_beside_others(tmp_path: Path, bins: int) -> None:
    nan, inf = float("nan"), float("inf")
    odd = [
        [nan, nan],
        [1.0, inf, -inf, nan, 2.0, inf],
        [3.0] * 5,
        [0.0] * 3000,
        [-3e38, 0.0, 3e38],
        [0.0, 1e-42, 2e-42],
        [1e9, 1e9 + 128],
        [*range(SMALL), nan, inf],
    ]
    tensors = {f"odd{i}": torch.tensor(values) for i, values in enumerate(odd)}
    tensors |= {f"size{n}": torch.randn(n) for n in (1, TINY, TINY + 1, SMALL, SMALL + 1, 3 * SMALL)}
    tensors |= {f"double{n}": torch.randn(n, dtype=torch.float64) for n in (7, 3 * SMALL)}
    tensors |= {
        "half": torch.randn(9).half(),
        "brain": torch.randn(9).bfloat16(),
        "large brain": torch.randn(3 * SMALL).bfloat16(),
        "whole": torch.arange(3 * SMALL),
        "truth": torch.tensor([True, False]),
        "scalar": torch.tensor(3.0),
        "transposed": torch.randn(300, 200).T,
        "strided": torch.randn(300, 200)[::2, ::3],
        "parameter": torch.nn.Parameter(torch.randn(5)),
    }
    found = ungrouped_counts(tensors, bins, tmp_path / "stage")
    assert {*found} == {*tensors}
    for name, tensor in tensors.items():
        values = tensor.detach().double().numpy().ravel()
        alone = count_bins(values, bins, None)
        np.testing.assert_array_equal(found[name].edges, alone.edges)
        assert found[name][2:] == alone[2:]
        assert found[name].counts.sum() == np.isfinite(values).sum(), name
        # Of a large float32 one value in 10 000 lies within its rounding of an edge; all others are exact.
        is_large = tensor.dtype == torch.float32 and tensor.numel() > SMALL and not np.isnan(values).any()
        off = abs(found[name].counts - alone.counts).sum()
        assert off <= (2 + values.size * 4e-4 if is_large else 0), name


def test_small_tensors_travel_inside_the_record(tmp_path: Path) -> None:
    found = ungrouped_counts({"a": torch.arange(4.0), "b": torch.ones(2, 3)}, 4, tmp_path / "stage")
    assert found["a"].counts.tolist() == [1, 1, 1, 1]
    assert found["b"].counts.sum() == 6
    assert not [*(tmp_path / "stage").iterdir()]


def test_all_gradients_are_staged_as_one_file(tmp_path: Path) -> None:
    grads = {f"layer{i}": torch.randn(100, 1000) for i in range(3)} | {"bias": torch.randn(4000)}
    found = ungrouped_counts(grads, 64, tmp_path / "stage")
    assert [*found] == ["bias", "layer0", "layer1", "layer2"]
    (staged,) = (tmp_path / "stage").iterdir()
    assert staged.stat().st_size == 300_000 + 4 * 4000


def test_sparse_gradients_are_left_out_and_half_precision_is_not(board: Board) -> None:
    embedding = torch.nn.Embedding(10, 4, sparse=True)
    half = torch.nn.Linear(4, 4).bfloat16()
    model = torch.nn.Sequential(embedding, half)
    embedding.weight.grad = torch.zeros(10, 4).to_sparse()
    half.weight.grad = torch.ones(4, 4).bfloat16()
    board.log_gradients(model, prefix="", bins=4)
    assert finished(board).histogram_names() == ["1.weight"]


def test_names_are_those_of_the_model_inside_its_wrappers(board: Board, model: Any) -> None:
    class Wrapped:
        def named_parameters(self) -> Any:
            return [(f"module._orig_mod.{name}", one) for name, one in model.named_parameters()]

    backward(model)
    board.log_gradients(Wrapped())
    assert finished(board).histogram_names() == ["grad/0.bias", "grad/0.weight", "grad/2.weight"]


def test_a_watched_model_is_logged_once_in_so_many_steps_at_the_step_of_the_call(
    board: Board, model: Any
) -> None:
    board.watch(model, every=10)
    board.log(before=1.0, step=0)
    for step in range(25):
        backward(model)
        board.log(loss=1.0, step=step)
    run = finished(board)
    for name in ("grad/0.weight", "param/0.weight"):
        assert run.histograms(name).step.tolist() == [0, 10, 20]
    assert run.series("loss").step.tolist() == list(range(25))
    assert "grad/2.bias" not in run.histogram_names()
    assert run.histograms("param/2.bias").counts.sum(axis=1).tolist() == [3, 3, 3]


def test_a_board_that_steps_watches_by_its_steps(board: Board, model: Any) -> None:
    board.watch(model, every=2, parameters=False)
    for _ in range(5):
        board.step()
        backward(model)
        board.log(loss=1.0)
    run = finished(board)
    assert run.histogram_names() == ["grad/0.bias", "grad/0.weight", "grad/2.weight"]
    assert run.histograms("grad/0.bias").step.tolist() == [1, 2, 4]


def test_a_model_without_gradients_is_said_once_and_its_parameters_are_logged(
    board: Board, model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    board.watch(model, every=2)
    for step in range(9):
        board.log(loss=1.0, step=step)
    (record,) = caplog.records
    assert "call log() after backward() and before zero_grad()" in record.getMessage()
    assert finished(board).histograms("param/0.bias").step.tolist() == [2, 4, 6, 8]


def test_nothing_is_hung_on_a_model_and_nothing_is_left_of_it(board: Board, model: Any) -> None:
    before = {
        name: (len(one._forward_hooks), len(one._backward_hooks)) for name, one in model.named_modules()
    }
    board.watch(model)
    backward(model)
    board.log(loss=1.0)
    after = {name: (len(one._forward_hooks), len(one._backward_hooks)) for name, one in model.named_modules()}
    assert before == after
    assert not any(one._backward_hooks for one in model.parameters())
    copy.deepcopy(model)
    pickle.dumps(model)
    again = pickle.loads(pickle.dumps(board))
    assert again is board
    board.unwatch(model)
    assert "log" not in vars(board)
    board.watch(torch.nn.Linear(1, 1))
    gc.collect()
    board.log(loss=2.0)
    assert "log" not in vars(board)


def test_a_finished_board_watches_nothing(board: Board, model: Any) -> None:
    board.watch(model)
    board.finish()
    assert "log" not in vars(board)
    calls: list[Callable[[], None]] = [lambda: board.log(loss=1.0), lambda: board.log_gradients(model)]
    for call in calls:
        with pytest.raises(BoardClosedError):
            call()


def test_what_is_no_model_is_refused_in_words(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    board.log_gradients([1, 2])
    board.watch(3)
    board.watch(model := torch.nn.Linear(1, 1), every=0)
    board.log_gradients(model, bins=0)
    board.log(loss=1.0)
    words = "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert "no histograms of a list were logged" in words
    assert "what is a int is not watched" in words
    assert "every=0 is no number of steps" in words
    assert finished(board).series("loss").value.tolist() == [1.0]


class OnItsWay(Rich):
    """A histogram whose counts come from a device later."""

    def __init__(self, fails: bool = False) -> None:
        self._fails = fails

    def _item(self, stage: Any) -> dict[str, Any]:
        def late() -> dict[str, Any]:
            if self._fails:
                raise RuntimeError("the device is gone")
            return counted_item(count_bins(np.arange(4.0), 4, None), stage, "exact")

        return {"late": late}


def test_counts_that_come_late_keep_their_place_and_cost_no_other_value(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    for step in range(3):
        board.log({"h": OnItsWay(), "bad": OnItsWay(fails=True), "loss": float(step)}, step=step)
        board.log(loss=step + 0.5, step=step)
    run = finished(board)
    assert run.series("loss").value.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert run.histograms("h").counts.tolist() == [[1, 1, 1, 1]] * 3
    (record,) = caplog.records
    assert "'bad' was not logged" in record.getMessage()
