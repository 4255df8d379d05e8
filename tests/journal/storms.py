"""Programs that append to a shard while something comes in between at any point; run by test_shard.py.

    python storms.py STORM JOURNAL KIND       prints, as JSON, what was acknowledged

In processes of their own: what is thrown into them must not hit the machinery of the tests.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kohakuboard.journal.shard import Shard
from kohakuboard.journal.written import WrittenShard


class InterruptError(Exception):
    """Stand for Ctrl-C."""


@contextmanager
def shower_of_signals(handler: Callable[[], None]) -> Iterator[None]:
    """Call the handler in this thread, some thousand times a second, at random points of what it runs."""
    signal.signal(signal.SIGUSR1, lambda signum, frame: handler())
    over = threading.Event()
    target = threading.get_ident()

    def shower() -> None:
        while not over.wait(random.uniform(1e-5, 4e-4)):
            signal.pthread_kill(target, signal.SIGUSR1)

    thread = threading.Thread(target=shower)
    thread.start()
    try:
        yield
    finally:
        # A handler that raises may do so in here, too.
        signal.signal(signal.SIGUSR1, lambda signum, frame: None)
        over.set()
        thread.join()


def handlers_that_log(shard: Shard) -> dict[str, list[float]]:
    """Log in a signal handler that interrupts a loop that logs."""
    numbers = itertools.count()
    handled: list[float] = []
    main = depth = 0

    def handler() -> None:
        nonlocal depth
        # While the disk is slow to give a segment, each signal finds the handler of the one before, without end.
        if depth == 20:
            return
        depth += 1
        number = float(next(numbers))
        shard.row(0, {"handler": number})
        handled.append(number)
        depth -= 1

    with shower_of_signals(handler):
        while len(handled) < 300 and main < 1_500_000:
            shard.row(main, {"main": float(main), "twice": float(main)})
            main += 1
    return {"main": [float(i) for i in range(main)], "handler": handled}


def interrupts(shard: Shard) -> dict[str, list[float]]:
    """Throw an exception into the append, with rows so wide that many interrupts hit the making of a segment."""
    acknowledged: list[float] = []
    caught, attempt, armed = 0, 0.0, False
    row = dict.fromkeys([f"m{i}" for i in range(400)], 0.0)

    def handler() -> None:
        if armed:
            raise InterruptError

    with shower_of_signals(handler):
        while caught < 500 and attempt < 200_000:
            try:
                armed = True
                while attempt < 200_000:
                    attempt += 1
                    shard.row(0, {**row, "a": attempt})
                    acknowledged.append(attempt)
            except InterruptError:
                armed = False
                caught += 1
    return {"acknowledged": acknowledged, "caught": [float(caught)]}


def finalizers_that_log(shard: Shard) -> dict[str, list[float]]:
    """Log in `__del__`, which the garbage collector calls wherever it likes."""

    class Cyclic:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            shard.row(0, {"finalizer": 1.0})

    gc.set_threshold(5)
    for i in range(3000):
        Cyclic()
        shard.row(i, {"main": float(i)})
    gc.collect()
    return {"main": [float(i) for i in range(3000)], "finalizer": [1.0] * 3000}


if __name__ == "__main__":
    storm = {storm.__name__: storm for storm in (handlers_that_log, interrupts, finalizers_that_log)}[
        sys.argv[1]
    ]
    kind = {"Shard": Shard, "WrittenShard": WrittenShard}[sys.argv[3]]
    print(json.dumps(storm(kind(Path(sys.argv[2]), rank=0, host="here"))))
