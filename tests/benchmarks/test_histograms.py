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
STEPS, BINS = 10_000, 64


def in_turns(subjects: dict[str, Callable[[], object]], pause_s: float) -> dict[str, float]:
    """Return the median time of each in ms; the writer has done its work before the next, or most of it."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order = random.Random(0)
    for _ in range(ROUNDS):
        for name in order.sample(list(subjects), len(subjects)):
            time.sleep(pause_s)
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
        pause_s=0.5,
    )
    figures.record(
        f"log() of a Histogram of 10M {dtype}, p50", found["log"], "ms",
        against="one copy of them", theirs=found["copy"], at_most=1.0,
    )  # fmt: skip
    figures.record("- the same", found["log"], "ms", against="write() of their bytes", theirs=found["write"])


def with_gradients(size: int) -> Any:
    """Return a model of so many parameters, each with a gradient."""
    model = torch.nn.ParameterDict(
        {f"layer{i}": torch.nn.Parameter(torch.zeros(size)) for i in range(PARAMETERS)}
    )
    for parameter in model.parameters():
        parameter.grad = torch.randn(size)
    return model


@pytest.mark.parametrize("size", [1_000, 10_000, 100_000])
def test_cost_of_the_gradients_of_a_model(board: Board, figures: Figures, size: int) -> None:
    model = with_gradients(size)
    found = in_turns(
        {
            "ours": lambda: board.log_gradients(model),
            "theirs": lambda: [np.histogram(one.grad.numpy(), BINS) for one in model.parameters()],
        },
        pause_s=0.2,
    )
    figures.record(
        f"log_gradients() of {PARAMETERS} parameters of {size:,}, p50", found["ours"], "ms",
        against="np.histogram of each", theirs=found["theirs"], at_most=0.2,
    )  # fmt: skip


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
    times = in_turns(subjects, pause_s=0)
    name = f"open a run, read a series of {STEPS:,} histograms of {BINS} bins"
    figures.record(name, times["ours"], "ms", at_most=100)
    figures.record(f"- {name}", times["ours"], "ms", against="np.load", theirs=times["theirs"])
