"""Time calls, subjects in turns: a figure is the median of ROUNDS rounds, and a machine that slows down slows all."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

__all__ = ["Metrics", "Subject", "Times", "busy_thread", "measure", "rows", "take_turns"]

ROUNDS = 7

Metrics = dict[str, float]


class Times(NamedTuple):
    """Hold times of one call in µs, and CPU time of the whole process per call in µs."""

    p50: float
    p99: float
    p999: float
    cpu: float


class Subject(NamedTuple):
    """Hold something that takes one dict a call; `settle` waits until what it does behind the caller's back is done."""

    call: Callable[[Metrics], Any]
    settle: Callable[[], Any] = lambda: None


@contextmanager
def busy_thread() -> Iterator[None]:
    """Keep another Python thread busy, as a data loader or a progress bar does."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(i * i for i in range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def rows(n_metrics: int, count: int) -> list[Metrics]:
    """Return dicts as a training loop makes them: the same names, values of full precision."""
    draw = random.Random(n_metrics)
    names = [f"train/metric_{i}" for i in range(n_metrics)]
    return [{name: draw.random() for name in names} for _ in range(count)]


def measure(subject: Subject, metrics: list[Metrics], pause_s: float | None = None) -> Times:
    """Time each call of a subject; between two calls the thread sleeps, where a pause is given."""
    call, clock = subject.call, time.perf_counter_ns
    times = []
    cpu_before = time.process_time_ns()
    for row in metrics:
        if pause_s is not None:
            time.sleep(pause_s)
        began = clock()
        call(row)
        times.append(clock() - began)
    subject.settle()
    cpu = time.process_time_ns() - cpu_before
    times.sort()
    p50, p99, p999 = (times[int(len(times) * part)] / 1000 for part in (0.5, 0.99, 0.999))
    return Times(p50, p99, p999, cpu / 1000 / len(metrics))


def take_turns(
    subjects: dict[str, Callable[[], Subject]],
    metrics: list[Metrics],
    *,
    rounds: int = ROUNDS,
    pause_s: float | None = None,
) -> dict[str, Times]:
    """Return the median of each figure over the rounds."""
    found: dict[str, list[Times]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, make in subjects.items():
            found[name].append(measure(make(), metrics, pause_s))
    return {name: Times(*map(statistics.median, zip(*times, strict=True))) for name, times in found.items()}
