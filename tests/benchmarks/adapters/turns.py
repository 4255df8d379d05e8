"""Train again and again with each of several loggers in turns, in one process.

    python -m tests.benchmarks.adapters.FRAMEWORK DIRECTORY STEPS ROUNDS LOGGER…

Before the STEPS come WARM_UP others, which are not timed: what a logger starts, starts meanwhile. It
prints {LOGGER: microseconds that it adds to a step, …}: the median over the rounds of what a step took longer than with
the logger "none" in the same round, which comes first in each.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["WARM_UP", "take_turns"]

WARM_UP = 1000

Train = Callable[[str, int, Path], float]


def take_turns(train: Train) -> None:
    """Do what the command line says. `train` returns the seconds of all steps but the first WARM_UP."""
    directory, steps, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    names = ["none", *sys.argv[4:]]
    found: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # imports, caches, and the start of a writer
        train(name, WARM_UP + 50, directory / f"{name}-first")
    for number in range(rounds):
        for name in names:
            seconds = train(name, WARM_UP + steps, directory / f"{name}-{number}")
            found[name].append(seconds / steps * 1e6)
    more = {
        name: statistics.median(a - b for a, b in zip(found[name], found["none"], strict=True))
        for name in names
    }
    print(json.dumps({**more, "none": statistics.median(found["none"])}), flush=True)
