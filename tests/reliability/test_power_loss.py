"""The power goes, for real as far as a file system can tell: ext4 is shut down without writing its journal out.

What was synced before that moment is there after the next mount, and nothing else need be.
"""

from __future__ import annotations

import fcntl
import io
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard.errors import NotARunError
from kohakuboard.reader import Run, open_run
from kohakuboard.reader.rich.histogram import HistogramSeries
from kohakuboard.reader.rich.media import MediaEntry
from kohakuboard.writer import recover

from .mounts import ext4
from .processes import wait_for, writers_of

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
DISK_BYTES = 256 << 20
# The writer looks twice a second; the rest is for a machine that has other things to do.
POLL_S = 0.5
SLACK_S = 2.0

# Tells each step with the time at which its call had returned, or every 500th in a burst.
TRAINER = """
import os, sys, time
import numpy as np
from kohakuboard import Board, Histogram, Media, Tensor

root, mode, sync_every_s = sys.argv[1:]
board = Board("cut", base_dir=root, run_id="run", capture_output=False, sync_every_s=float(sync_every_s))
step = 0

def log(told=True):
    global step
    values = {"loss": 1 / (step + 1), "acc": step}
    if step % 100 == 50 and mode != "burst":
        values["weights"] = Histogram(np.full(20_000, float(step)))
        values["picture"] = Media(np.full((16, 16, 3), step % 256, dtype=np.uint8))
        values["large"] = Tensor(np.full(140_000, float(step)))
    board.log(values, step=step)
    if told:
        os.write(1, b"%d %.6f\\n" % (step, time.monotonic()))
    step += 1

if mode == "finish":
    for _ in range(2000):
        log()
    os.write(1, b"finishing 0\\n")
    board.finish()
    os.write(1, b"finished %.6f\\n" % time.monotonic())
    time.sleep(60)
while True:
    log(told=mode == "paced" or step % 500 == 0)
    if mode == "paced" or step % 500 == 0:
        time.sleep(0.001)
"""

CONTINUE = """
import sys
from kohakuboard import Board
with Board(base_dir=sys.argv[1], run_id="run", capture_output=False) as board:
    for step in range(100):
        board.log(again=step)
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What a trainer said until the cut: when each step was safe from a kill, and whether `finish` returned."""

    steps: dict[int, float]
    finished: bool
    cut: float


class Victim:
    """A trainer on a disk that will lose its power."""

    def __init__(self, disk: Path, mode: str, sync_every_s: float) -> None:
        self.run = disk / "runs" / "default" / "run"
        self._disk = disk
        self._process = subprocess.Popen(
            [sys.executable, "-c", TRAINER, str(disk / "runs"), mode, str(sync_every_s)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        self.said = b""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            self.said += chunk

    def cut_power(self) -> Told:
        """Cut the power, end who is left, and return what was told before."""
        fd = os.open(self._disk, os.O_RDONLY)
        cut = time.monotonic()
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        os.close(fd)
        self._process.kill()
        self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        for pid in writers_of(self.run):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not writers_of(self.run))
        lines = [line.split() for line in self.said[: self.said.rindex(b"\n")].splitlines()]
        times = {int(word): float(when) for word, when in lines if word.isdigit() and float(when) < cut}
        finished = any(word == b"finished" and float(when) < cut for word, when in lines)
        return Told(times, finished, cut)


def lost_seconds(run: Run | None, told: Told) -> float:
    """Return how old the oldest acknowledged record was, at the cut, that is gone; 0 when none is."""
    count = len(run.series("acc").step) if run is not None and "acc" in run.metrics else 0
    return max((told.cut - when for step, when in told.steps.items() if step >= count), default=0.0)


def check_what_is_there(run: Run) -> int:
    """What is there is the beginning of what was logged, each call once; return how many calls."""
    if "acc" not in run.metrics:
        return 0
    for name in ("loss", "acc"):
        series = run.series(name)
        assert series.step.tolist() == list(range(len(series.step)))
        assert len(np.unique(series.seq)) == len(series.seq)
    acc = run.series("acc")
    assert acc.value.tolist() == acc.step.tolist()
    assert run.metrics["acc"].count == len(acc.step)
    return len(acc.step)


def check_rich(run: Run, count: int) -> set[int]:
    """Rich values of the calls that are there are there, as they were, or named as lost; return the steps of those."""
    complained = " ".join(run.problems)
    weights = run.histograms("weights") if "weights" in run.histogram_names() else None
    found = {
        "picture": [(entry.step, colour_of(entry)) for entry in run.media("picture")],
        "large": [(entry.step, set(entry.read().tolist())) for entry in run.tensors("large")],
        "weights": []
        if weights is None
        else [(int(step), middle_of(weights, row)) for row, step in enumerate(weights.step)],
    }
    lost: set[int] = set()
    for step in range(50, count, 100):
        for name, expected in (
            ("picture", (step % 256,) * 3),
            ("large", {float(step)}),
            ("weights", float(step)),
        ):
            there = [value for at, value in found[name] if at == step]
            assert there == [expected] or (not there and f"'{name}' of step {step} " in complained), name
            lost |= set() if there else {step}
    return lost


def colour_of(entry: MediaEntry) -> Any:
    """Return the colour of a picture of one colour."""
    with Image.open(io.BytesIO(entry.read())) as image:
        ((n_pixels, colour),) = image.getcolors()
    assert n_pixels == 256
    return colour


def middle_of(histograms: HistogramSeries, row: int) -> float:
    """Return the value that all values of a histogram have."""
    assert histograms.counts[row].sum() == histograms.counts[row].max() == 20_000
    return float(histograms.edges[row].mean())


def go_through_a_cut(
    tmp_path: Path, seed: int, mode: str, sync_every_s: float, within_s: float
) -> tuple[float, str]:
    """Log, cut, mount again, read, recover, continue; return the seconds lost, and a word on what was there."""
    draw, bound_s = random.Random(seed), sync_every_s + POLL_S + SLACK_S
    image = tmp_path / f"disk-{seed}"
    with ext4(tmp_path / "disk", image, DISK_BYTES) as disk:
        victim = Victim(disk, mode, sync_every_s)
        wait_for(lambda: b"finishing" in victim.said if mode == "finish" else victim.said)
        time.sleep(draw.uniform(0, within_s))
        told = victim.cut_power()
    # As long as anything holds the dead file system, another mount would be that same one.
    wait_for(lambda: not subprocess.run(["losetup", "-j", image], capture_output=True, check=True).stdout)
    with ext4(tmp_path / "disk", image, DISK_BYTES) as disk:
        path = disk / "runs" / "default" / "run"
        try:
            run = open_run(path)
        except NotARunError:
            lost = lost_seconds(None, told)
            assert lost <= bound_s
            return lost, "nothing"
        count, lost = check_what_is_there(run), lost_seconds(run, told)
        assert run.status in ("crashed", "finished")
        assert lost <= bound_s
        assert not told.finished or (run.status == "finished" and lost == 0)

        recover(path)
        run = open_run(path)
        assert check_what_is_there(run) == count
        # The removal of the empty directory itself may not have reached the disk.
        assert list(path.glob("journal/*")) == []
        if mode != "burst":
            for step in check_rich(run, count):
                assert told.cut - told.steps[step] <= bound_s, (
                    step,
                    told.cut - told.steps[step],
                    run.problems,
                )
        subprocess.run([sys.executable, "-c", CONTINUE, disk / "runs"], check=True, capture_output=True)
        run = open_run(path)
        assert run.status == "finished"
        assert check_what_is_there(run) == count
        assert run.series("again").value.tolist() == list(range(100))
    image.unlink()
    return lost, f"{count} of {max(told.steps, default=-1) + 1} calls, {len(run.problems)} problems"


@pytest.mark.parametrize(("seed", "mode"), [(1, "paced"), (2, "burst"), (3, "finish")])
def test_a_power_cut_costs_no_more_than_was_said_and_the_run_goes_on(
    tmp_path: Path, seed: int, mode: str
) -> None:
    go_through_a_cut(tmp_path, seed, mode, sync_every_s=0.5, within_s=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_power_cuts_cost_no_more_than_was_said(tmp_path: Path) -> None:
    modes, intervals = {"paced": 12.0, "burst": 12.0, "finish": 2.5}, (0.0, 1.0, 2.0)
    worst = dict.fromkeys(intervals, 0.0)
    for seed in range(10, 40):
        mode, sync_every_s = list(modes)[seed % 3], intervals[seed // 3 % 3]
        lost, word = go_through_a_cut(tmp_path, seed, mode, sync_every_s, modes[mode])
        worst[sync_every_s] = max(worst[sync_every_s], lost)
        print(f"cut {seed}, {mode}, sync every {sync_every_s:g} s: {lost:.2f} s lost; {word}", flush=True)
    print("most seconds lost, by interval:", {key: round(value, 2) for key, value in worst.items()})
