"""A trainer to be killed: what it logs follows from the step, and what came back from `log` it tells through memory.

Run as a program; the tests start it through Victim. It shares four words with the test, which outlive it:

    0   how many calls have returned      2   set by the test: finish now
    1   where it is (STARTING …)          3   how many calls of its forked child have returned
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from kohakuboard import Board, Histogram, Media, Table, Tensor
from kohakuboard.journal.process import host_name, is_alive
from tests.reliability.processes import wait_for, writers_of

__all__ = ["FINISHING", "LOGGING", "NOISY_EVERY", "OVER", "STARTING", "TABLE_ROWS", "Victim"]

STARTING, LOGGING, FINISHING, OVER = range(4)
WORDS = 4
PACE = 1000
BURST, BURST_PAUSE_S = 20_000, 0.1
TABLE_ROWS = 3
# A picture of noise is the most work for the writer: of more, it would fall behind a burst by a minute.
NOISY_EVERY = 5000


class Victim:
    """Start a trainer that logs to the run "victim" below `root`, from step `start` on.

    `paced`: PACE calls a second; otherwise bursts of BURST calls, as fast as it can. `rich_every`: every so many steps
    a histogram, pictures, a tensor and a table go with the scalars; 0 for never. `forked`: a child of it logs as well.
    `at_exit`: it leaves the end to the board's exit handler.
    """

    def __init__(
        self,
        root: Path,
        *,
        start: int = 0,
        paced: bool = True,
        rich_every: int = 0,
        forked: bool = False,
        at_exit: bool = False,
    ) -> None:
        self.run = root / "default" / "victim"
        self.rich_every = rich_every
        shared = root.with_name(f"{root.name}-{start}.words")
        shared.write_bytes(bytes(8 * WORDS))
        with open(shared, "r+b") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), 8 * WORDS)).cast("q")
        self.words[0] = start
        options = [start, int(paced), rich_every, int(forked), int(at_exit)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.victim", str(root), str(shared), *map(str, options)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def acknowledged(self) -> int:
        """Return how many calls have returned, those of earlier victims of the run included."""
        return self.words[0]

    @property
    def phase(self) -> int:
        """Return where it is."""
        return self.words[1]

    def reach(self, phase: int) -> None:
        """Wait until it is somewhere."""
        wait_for(lambda: self.phase >= phase or self.process.poll() is not None)

    def finish(self) -> None:
        """Tell it to finish."""
        self.words[2] = 1

    def kill(self, target: str) -> None:
        """Kill the trainer, its writers, both, or the whole process group with its writers; wait for the trainer."""
        writers = writers_of(self.run)
        if target == "group":
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        elif target != "writer":
            self.process.kill()
        killed = writers if target != "trainer" else []
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if target != "writer":
            self.process.wait(60)
        # A process that is killed keeps its locks for a moment.
        wait_for(lambda: not any(is_alive(host_name(), pid, None) for pid in killed))


def rich_values(step: int) -> dict[str, Any]:
    """Return rich values that can be told to be those of a step."""
    import numpy as np  # here: most victims need none, and shall start quickly

    size = 200 if step % 100 == 0 else 8  # a large array is staged in a file of its own
    noise = np.random.default_rng(step).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    return {
        # Now and then one that is no longer small when it is stored.
        **({"noise": [Media(noise), Media(noise)]} if step % NOISY_EVERY == 0 else {}),
        "vector": Tensor(np.full(size * size, step, dtype=np.int32)),
        "weights": Histogram.from_bins([step % 7, step % 11, step], [0.0, 1.0, 2.0, 3.0]),
        "picture": Media(np.full((size, size, 3), step % 251, dtype=np.uint8), caption=f"step {step}"),
        "rows": Table([[step, f"row {i}"] for i in range(TABLE_ROWS)], columns=["step", "name"]),
    }


def _log_in_child(board: Board, words: memoryview, parent: int) -> None:
    while not words[2] and os.getppid() == parent:
        board.log({"child": words[3]}, step=words[3])
        words[3] += 1
        time.sleep(0.001)
    os._exit(0)


def main(root: str, shared: str, start: int, paced: int, rich_every: int, forked: int, at_exit: int) -> None:
    """Log until told to finish."""
    with open(shared, "r+b") as file:
        words = memoryview(mmap.mmap(file.fileno(), 8 * WORDS)).cast("q")
    board = Board("victim", run_id="victim", base_dir=root, config={"lr": 0.1}, capture_output=False)
    words[1] = LOGGING
    parent = os.getpid()
    if forked and os.fork() == 0:
        _log_in_child(board, words, parent)
    step, began = start, time.perf_counter()
    while not words[2]:
        if not paced and step % BURST == 0:
            time.sleep(BURST_PAUSE_S)
        while paced and time.perf_counter() < began + (step - start) / PACE:
            time.sleep(0.0005)
        values = {"loss": 1 / (step + 1), "acc": step}
        if rich_every and step % rich_every == 0:
            values |= rich_values(step)
        board.log(values, step=step)
        step += 1
        words[0] = step
    words[1] = FINISHING
    if forked:
        os.wait()
    if not at_exit:
        board.finish()
        words[1] = OVER


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
