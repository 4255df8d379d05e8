"""What it costs to log a scalar that lies on a GPU which is busy."""

from __future__ import annotations

import statistics
import time

import pytest
import torch

from kohakuboard import Board
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

STEPS = 500
CYCLES = 1_000_000  # somewhat less than 1 ms of a GPU's time


def test_a_scalar_of_a_busy_gpu(board: Board, figures: Figures) -> None:
    name, against = "log() of a CUDA tensor behind 1 ms of work, p50", "log() of its .item()"
    if not torch.cuda.is_available():
        figures.skip(name, against=against, reason="there is no CUDA device here")
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
