"""What histograms cost training, and what it takes to read them."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kohakuboard import Board, Histogram
from kohakuboard.reader import open_run
from kohakuboard.storage.histograms import HistogramColumn, HistogramStore
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROUNDS = 15
TOUCHED_BYTES = 6 << 30
PARAMETERS = 100
STEPS_OF_TRAINING = 60
STEPS, BINS = 10_000, 64


def in_turns(
    subjects: dict[str, Callable[[], object]], before: Callable[[], object], rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median time of each in ms, each call with something else before it."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(subjects), len(subjects)):
            before()
            began = time.perf_counter()
            result = subjects[name]()
            times[name].append((time.perf_counter() - began) * 1000)
            del result
    return {name: statistics.median(each) for name, each in times.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cost_of_a_histogram_that_the_writer_counts(
    board: Board, tmp_path: Path, figures: Figures, dtype: str
) -> None:
    """Beside a copy in memory, and beside one `write` of the same bytes to a new file.

    The page cache takes memory that a virtual machine may not have been given yet, at 10 µs a page: it is used once.
    """
    np.ones(TOUCHED_BYTES, dtype=np.uint8)
    values = np.random.default_rng(0).normal(size=10_000_000).astype(dtype)
    numbers = itertools.count()
    found = in_turns(
        {
            "log": lambda: board.log(h=Histogram(values)),
            "copy": lambda: np.copy(values),
            "write": lambda: (tmp_path / str(next(numbers))).write_bytes(values.data),
        },
        before=lambda: time.sleep(0.5),  # the writer has done its work, or most of it
    )
    figures.record(
        f"log() of a Histogram of 10M {dtype}, p50", found["log"], "ms",
        against="one copy of them", theirs=found["copy"], at_most=1.0,
    )  # fmt: skip
    figures.record("- the same", found["log"], "ms", against="write() of their bytes", theirs=found["write"])


class Block(torch.nn.Module):
    """Be a residual block of two weights of so many values."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.wide = torch.nn.Linear(columns, rows, bias=False)
        self.back = torch.nn.Linear(rows, columns, bias=False)

    def forward(self, batch: Any) -> Any:
        return batch + self.back(torch.relu(self.wide(batch))) / PARAMETERS


@pytest.mark.parametrize("shape", [(25, 40), (100, 100), (250, 400)])
def test_cost_of_the_gradients_of_a_model(board: Board, figures: Figures, shape: tuple[int, int]) -> None:
    """Right behind the backward pass of a training, in turns with np.histogram; and behind a pause.

    A training is what the call is made in: its gradients were written a moment ago, Python and torch were at work, and
    the writer stores what the last calls logged. Behind a pause caches are cold, for Python's code more than for one
    loop over many values.
    """
    rows, columns = shape
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(Block(rows, columns) for _ in range(PARAMETERS // 2)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    batch = torch.randn(64, columns)
    np.ones(TOUCHED_BYTES, dtype=np.uint8)  # see above

    def backward() -> None:
        optimizer.step()
        optimizer.zero_grad()
        model(batch).square().mean().backward()

    backward()
    subjects: dict[str, Callable[[], object]] = {
        "ours": lambda: board.log_gradients(model),
        "theirs": lambda: [np.histogram(grad_of(one), BINS) for one in model.parameters()],
    }
    of_size = f"log_gradients() of {PARAMETERS} parameters of {rows * columns:,}"
    training = in_turns(subjects, before=backward, rounds=STEPS_OF_TRAINING)
    figures.record(
        f"{of_size}, in training, p50", training["ours"], "ms",
        against="np.histogram of each", theirs=training["theirs"], at_most=0.2,
    )  # fmt: skip
    rested = in_turns(subjects, before=lambda: time.sleep(0.2))
    figures.record(
        "- after a pause", rested["ours"], "ms", against="np.histogram of each", theirs=rested["theirs"]
    )


def grad_of(parameter: Any) -> Any:
    """Return the gradient of a parameter as an array."""
    return parameter.grad.numpy()


def test_reading_one_series(tmp_path: Path, figures: Figures) -> None:
    with Board("read", base_dir=tmp_path, capture_output=False) as board:
        board.log(h=Histogram([1.0]))
    draw = np.random.default_rng(0)
    at = np.arange(STEPS)
    shape = np.exp(-(np.linspace(-4, 4, BINS) ** 2) / 2)
    store = HistogramStore(next(board.path.glob("histograms/*.lance")))
    for begin in range(0, STEPS, 200):
        part = at[begin : begin + 200]
        counts = draw.multinomial(1_000_000, shape / shape.sum(), size=len(part))
        low = draw.normal(size=len(part))
        edges = np.linspace(low, low + 10, BINS + 1, axis=-1)
        columns = [HistogramColumn(name, 0, part, part, part, counts, edges) for name in ("a", "b")]
        store.append(columns, {0: int(part[-1])})
        store.maintain()
    store.maintain(final=True)
    store.close()
    open_run(board.path).histograms("h")  # imports
    saved = tmp_path / "saved.npz"
    found = open_run(board.path).histograms("a")
    np.savez(saved, *found)
    subjects: dict[str, Callable[[], object]] = {
        "ours": lambda: open_run(board.path).histograms("a"),
        "theirs": lambda: [*np.load(saved).values()],
    }
    times = in_turns(subjects, before=lambda: None)
    name = f"open a run, read a series of {STEPS:,} histograms of {BINS} bins"
    figures.record(name, times["ours"], "ms", at_most=100)
    figures.record(f"- {name}", times["ours"], "ms", against="np.load", theirs=times["theirs"])
