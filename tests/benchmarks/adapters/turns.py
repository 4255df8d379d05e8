"""Train again and again with each of several loggers in turns, in one process.

    python -m tests.benchmarks.adapters.FRAMEWORK DIRECTORY STEPS ROUNDS LOGGER…

Before the STEPS come WARM_UP others and a pause, which are not timed: what a logger starts, starts meanwhile. It
prints {LOGGER: {"wall": …, "thread": …, "all": …}, …}, in microseconds that the logger adds to a step, and under "none"
what a step takes without a logger, which is the first of each round:

    calls    CPU time of the thread that trains within the logger's own methods, none of them with "none"
    thread   CPU time of the thread that trains, with what the framework does for a logger
    wall     by the clock; it depends on what else the machine does
    all      CPU time of all threads and child processes, until the training has ended and everything is stored

Each is what the least disturbed round took: other work only ever adds to a time.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

__all__ = ["WARM_UP", "Meter", "Spent", "take_turns"]

WARM_UP = 1000
PAUSE_S = 1.0


class Spent(NamedTuple):
    """Hold seconds, or what of them falls to a step in µs."""

    calls: float
    thread: float
    wall: float
    all: float

    def each(self, steps: int) -> Spent:
        """Return what falls to each of so many steps, in µs."""
        return Spent(*(seconds / steps * 1e6 for seconds in self))


class Meter:
    """Measure one training; made before it."""

    def __init__(self) -> None:
        self._children = _of_dead_children()
        self._cpu = self._in_calls = 0.0
        self._began = self._took = (0.0, 0.0, 0.0)

    def watch(self, logger: Any, methods: Iterable[str]) -> None:
        """Measure these methods of a logger."""
        for name in methods:
            setattr(logger, name, self._timed(getattr(logger, name)))

    def begin(self) -> None:
        """Wait for what was started, and begin."""
        time.sleep(PAUSE_S)
        self._children += _of_living_children()
        self._cpu = time.process_time()
        self._began = self._now()

    def end_steps(self) -> None:
        """Take the time before the run ends."""
        calls, thread, wall = self._now()
        self._took = (calls - self._began[0], thread - self._began[1], wall - self._began[2])

    def spent(self) -> Spent:
        """Return what was spent, when the training has ended."""
        children = _of_dead_children() + _of_living_children() - self._children
        calls, thread, wall = self._took
        return Spent(calls, thread, wall, time.process_time() - self._cpu + children)

    def _now(self) -> tuple[float, float, float]:
        return self._in_calls, time.thread_time(), time.perf_counter()

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*args, **kwargs)
            finally:
                self._in_calls += time.thread_time() - began

        return timed


Train = Callable[[str, int, Path], Spent]


def take_turns(train: Train) -> None:
    """Do what the command line says. `train` returns what all steps but the first WARM_UP took."""
    directory, steps, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    names = ["none", *sys.argv[4:]]
    found: dict[str, list[Spent]] = {name: [] for name in names}
    for name in names:  # imports, caches
        train(name, WARM_UP + 50, directory / f"{name}-first")
    for number in range(rounds):
        for name in names:
            found[name].append(train(name, WARM_UP + steps, directory / f"{name}-{number}").each(steps))
    least = {name: Spent(*map(min, zip(*spent, strict=True))) for name, spent in found.items()}
    none = least.pop("none")
    more = {name: Spent(*(a - b for a, b in zip(spent, none, strict=True))) for name, spent in least.items()}
    print(json.dumps({name: spent._asdict() for name, spent in {**more, "none": none}.items()}), flush=True)


def _of_dead_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _of_living_children() -> float:
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return float(sum(one.user + one.system for one in times))
