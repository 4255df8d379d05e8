"""What an image costs training, and what a burst of them costs in memory."""

from __future__ import annotations

import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kohakuboard import Board, Media
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUNDS = 40
# Who writes faster than the disk takes it is made to wait by the kernel, whatever is written.
PAUSE_S = 0.1
PIXELS = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)


def test_cost_of_an_image(board: Board, tmp_path: Path, figures: Figures) -> None:
    """Beside one `write` of the same bytes to a new file, the least that hands them to another process."""
    numbers, picture = itertools.count(), Image.fromarray(PIXELS)
    subjects: dict[str, Callable[[], object]] = {
        "bare": lambda: (tmp_path / str(next(numbers))).write_bytes(PIXELS.data),
        "NumPy": lambda: board.log(image=Media(PIXELS)),
        "Pillow": lambda: board.log(image=Media(picture)),
    }
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order = random.Random(0)
    for _ in range(ROUNDS):
        for name in order.sample(list(subjects), len(subjects)):
            time.sleep(PAUSE_S)
            began = time.perf_counter()
            subjects[name]()
            times[name].append((time.perf_counter() - began) * 1000)
    found = {name: statistics.median(each) for name, each in times.items()}
    figures.record("log() of a 1024×1024 image, NumPy, p50", found["NumPy"], "ms", at_most=2)
    figures.record("log() of a 1024×1024 image, Pillow, p50", found["Pillow"], "ms", at_most=2)
    figures.record(
        "log() of a 1024×1024 image, p50", found["NumPy"], "ms",
        against="write() of its bytes", theirs=found["bare"], at_most=1.5,
    )  # fmt: skip


# In an interpreter of its own; the writer is watched by the same program.
BURST = """
import json, sys
import numpy as np
from tests.benchmarks.processes import Peak, memory_mb
from kohakuboard import Board, Media

pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
board = Board("burst", base_dir=".", capture_output=False, journal_limit_bytes=256 << 20)
board.log(image=Media(pixels))
before = memory_mb(field="VmHWM")
with Peak(board._supervisor.writer_pid) as peak:
    for step in range(10_000):
        pixels[0, 0] = step % 256
        board.log(image=Media(pixels))
    grown = memory_mb(field="VmHWM") - before
    board.finish(timeout_s=300)
print(json.dumps([grown, peak.mb]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_of_a_burst_of_images(tmp_path: Path, figures: Figures) -> None:
    program = BURST.replace("SIDE", "256")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    grown, writer = json.loads(done.stdout)
    figures.record("growth of the trainer with 10 000 images of 256×256", grown, "MB", at_most=15)
    figures.record("- peak of the writer", writer, "MB", at_most=350)
