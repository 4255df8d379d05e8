"""What logging adds to a training step of about 1 ms of NumPy work."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board
from tests.benchmarks.figures import Figures
from tests.benchmarks.timing import Metrics, rows

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

STEP_S = 0.001
WRITER_START_S = 0.6
AIM = 1.01


@pytest.fixture(scope="module")
def array() -> Any:
    """Return an array that takes STEP_S to work through."""
    array = np.random.default_rng(0).random(20_000)
    times = []
    for _ in range(100):
        began = time.perf_counter()
        np.tanh(array)
        times.append(time.perf_counter() - began)
    return np.resize(array, int(len(array) * STEP_S / statistics.median(times)))


def train(array: Any, metrics: list[Metrics], board: Board | None) -> list[float]:
    """Return the time of each step in ms."""
    times, clock = [], time.perf_counter
    for row in metrics:
        began = clock()
        np.tanh(array)
        if board is not None:
            board.log(row)
        times.append((clock() - began) * 1000)
    return times


def test_steps_that_log_and_steps_that_do_not_in_turns(array: Any, board: Board, figures: Figures) -> None:
    metrics = rows(10, 1)
    board.log(metrics[0])
    time.sleep(WRITER_START_S)
    ours: list[float] = []
    plain: list[float] = []
    for _ in range(5000):
        plain += train(array, metrics, None)
        ours += train(array, metrics, board)
    figures.record(
        "a step of 1 ms that logs 10 metrics, p50",
        statistics.median(ours),
        "ms",
        against="a step that does not",
        theirs=statistics.median(plain),
        at_most=AIM,
    )


def test_a_training_with_a_board_and_one_without(array: Any, tmp_path: Path, figures: Figures) -> None:
    """The mean of all steps, and beside the writer: whatever it takes from training is in here."""
    metrics = rows(10, 500)
    ours, plain = [], []
    for number in range(15):
        plain.append(statistics.fmean(train(array, metrics, None)))
        with Board("step", base_dir=tmp_path / str(number), capture_output=False) as board:
            board.log(metrics[0])
            time.sleep(WRITER_START_S)
            ours.append(statistics.fmean(train(array, metrics, board)))
    figures.record(
        "a training that logs 10 metrics a ms, mean step",
        statistics.median(ours),
        "ms",
        against="one without a board",
        theirs=statistics.median(plain),
        at_most=AIM,
    )
