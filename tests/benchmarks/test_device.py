"""What it costs to log what lies on a GPU which is busy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from kohakuboard import Board
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

STEPS = 500
CYCLES = 1_000_000  # somewhat less than 1 ms of a GPU's time
METRICS = 10
BLOCK, BLOCKS = 100, 30
PARAMETERS, VALUES = 100, 10_000


def is_skipped(figures: Figures, name: str, against: str) -> bool:
    if torch.cuda.is_available():
        return False
    figures.skip(name, against=against, reason="there is no CUDA device here")
    return True


def test_a_scalar_of_a_busy_gpu(board: Board, figures: Figures) -> None:
    name, against = "log() of a CUDA tensor behind 1 ms of work, p50", "log() of its .item()"
    if is_skipped(figures, name, against):
        return
    loss = torch.zeros((), device="cuda")

    def step(logged: bool) -> float:
        torch.cuda._sleep(CYCLES)  # type: ignore[no-untyped-call]
        loss.add_(1.0)
        began = time.perf_counter()
        board.log(loss=loss if logged else loss.item())
        took = time.perf_counter() - began
        torch.cuda.synchronize()
        return took * 1e6

    step(True)  # pins memory
    ours, theirs = [step(True) for _ in range(STEPS)], [step(False) for _ in range(STEPS)]
    figures.record(
        name, statistics.median(ours), "µs", against=against, theirs=statistics.median(theirs), at_most=0.1
    )


def test_a_training_on_a_gpu(board: Board, figures: Figures) -> None:
    """Blocks of steps in turns, each until the GPU is done: what the GPU waits for Python is in it."""
    name, against = f"a step of 1 ms on a GPU that logs {METRICS} CUDA tensors", "the same step without"
    if is_skipped(figures, name, against):
        return
    losses = torch.zeros(METRICS, device="cuda")
    names = [f"loss_{i}" for i in range(METRICS)]

    def block(log: Callable[..., object]) -> float:
        began = time.perf_counter()
        for _ in range(BLOCK):
            torch.cuda._sleep(CYCLES)  # type: ignore[no-untyped-call]
            losses.add_(1.0)
            log(dict(zip(names, losses.unbind(), strict=True)))
        torch.cuda.synchronize()
        return (time.perf_counter() - began) / BLOCK * 1e3

    block(board.log)
    times = [(block(board.log), block(lambda metrics: None)) for _ in range(BLOCKS)]
    ours, plain = (statistics.median(each) for each in zip(*times, strict=True))
    figures.record(name, ours, "ms", against=against, theirs=plain, at_most=1.01)


def test_gradients_on_a_gpu(board: Board, figures: Figures) -> None:
    name = f"log_gradients() of {PARAMETERS} parameters of {VALUES:,} on a GPU, p50"
    against = "np.histogram of each on the host"
    if is_skipped(figures, name, against):
        return
    model = torch.nn.ParameterList(torch.randn(VALUES, device="cuda") for _ in range(PARAMETERS))
    for parameter in model:
        parameter.grad = torch.randn_like(parameter)

    def took(call: Callable[[], object]) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        call()
        return (time.perf_counter() - began) * 1e3

    def theirs() -> None:
        for parameter in model:
            np.histogram(parameter.grad.cpu().numpy(), 64)

    board.log_gradients(model)
    times = [(took(lambda: board.log_gradients(model)), took(theirs)) for _ in range(BLOCKS)]
    ours, plain = (statistics.median(each) for each in zip(*times, strict=True))
    figures.record(name, ours, "ms", against=against, theirs=plain, at_most=0.2)
