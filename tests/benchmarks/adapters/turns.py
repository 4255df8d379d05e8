"""Let several loggers log one training, a few steps each in turns.

    python -m tests.benchmarks.adapters.FRAMEWORK DIRECTORY STEPS LOGGER…

All loggers are made, and told of the training, before it begins; then BLOCK steps have none of them, BLOCK steps the
first, and so on, STEPS each, the order of every second cycle reversed. A cycle takes a fraction of a second, so that
whatever else the machine does, or how fast it lets us be, is the same for all. After WARM_UP_CYCLES comes a pause: what
a logger starts, starts meanwhile.

It prints {LOGGER: {"calls": …, "thread": …, "wall": …}, …}, in microseconds that the logger adds to a step, the median
over the cycles, and under "none" what a step takes without a logger:

    calls    CPU time of the thread that trains within the logger's own methods, none of them with "none"
    thread   CPU time of the thread that trains, with what the framework does for a logger
    wall     by the clock
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Job", "Spent", "Turns", "take_turns"]

BLOCK = 20
WARM_UP_CYCLES = 10
PAUSE_S = 3.0


class Spent(NamedTuple):
    """Hold µs of a step."""

    calls: float
    thread: float
    wall: float


class Turns:
    """Say which logger has its turn, and measure it.

    Args:
        names: Of the loggers.
        steps: How many are to be measured with each.
    """

    def __init__(self, names: list[str], steps: int) -> None:
        self._names = ["none", *names]
        n_cycles = WARM_UP_CYCLES + -(-steps // BLOCK)
        self.steps = n_cycles * len(self._names) * BLOCK + 1
        self._spent: dict[str, list[Spent]] = {name: [] for name in self._names}
        self._step, self._name, self._in_calls = 0, "", 0.0
        self._began = Spent(0.0, 0.0, 0.0)

    def watch(self, logger: Any, methods: Iterable[str]) -> None:
        """Measure these methods of a logger."""
        for name in methods:
            setattr(logger, name, self._timed(getattr(logger, name)))

    def next_step(self) -> str | None:
        """Begin a step; return whose turn begins with it, None when it is another step of the same."""
        block, within = divmod(self._step, BLOCK)
        self._step += 1
        if within:
            return None
        now = self._now()
        if block:
            each = Spent(*((end - begin) / BLOCK * 1e6 for begin, end in zip(self._began, now, strict=True)))
            self._spent[self._name].append(each)
        cycle, place = divmod(block, len(self._names))
        if (cycle, place) == (WARM_UP_CYCLES, 0):
            time.sleep(PAUSE_S)
        self._name = (self._names if cycle % 2 == 0 else self._names[::-1])[place]
        return self._name

    def begin(self) -> None:
        """Measure from here on, when it is settled who logs."""
        self._began = self._now()

    def found(self) -> dict[str, Spent]:
        """Return what a step takes without a logger, and what each logger adds to it."""
        spent = {name: blocks[WARM_UP_CYCLES:] for name, blocks in self._spent.items()}
        none = spent["none"]
        more = {
            name: [
                Spent(*(a - b for a, b in zip(*pair, strict=True))) for pair in zip(blocks, none, strict=True)
            ]
            for name, blocks in spent.items()
        }
        rows = {**more, "none": none}
        return {name: Spent(*map(statistics.median, zip(*of, strict=True))) for name, of in rows.items()}

    def _now(self) -> Spent:
        return Spent(self._in_calls, time.thread_time(), time.perf_counter())

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*args, **kwargs)
            finally:
                self._in_calls += time.thread_time() - began

        return timed


Job = Callable[[list[str], Turns, Path], None]


def take_turns(train: Job) -> None:
    """Do what the command line says. `train` trains `turns.steps` steps with loggers of these names."""
    directory, steps, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    turns = Turns(names, steps)
    train(names, turns, directory)
    print(json.dumps({name: spent._asdict() for name, spent in turns.found().items()}), flush=True)
