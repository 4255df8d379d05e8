"""Real processes, real SIGKILL: what `log` returned for is read back, once, in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.reader import Run, open_run

# Logs 1000 calls a second, and tells the step of each through stdout once the call has returned.
TRAINER = """
import os, sys, time
from kohakuboard import Board

board = Board("victim", base_dir=sys.argv[1], config={"lr": 0.1}, capture_output=False)
os.write(1, f"{board.path}\\n".encode())
began = time.perf_counter()
for step in range(int(sys.argv[2])):
    while time.perf_counter() < began + step / 1000:
        time.sleep(0.0005)
    board.log(loss=1 / (step + 1), acc=step, step=step)
    os.write(1, b"%d\\n" % step)
board.finish()
"""
ENDLESS = 10**9


class Victim:
    """A trainer to be killed, and what it said."""

    def __init__(self, root: Path, calls: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAINER, str(root), str(calls)],
            stdout=subprocess.PIPE,
            bufsize=0,  # the first line is read as a line, and nothing beyond it
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.path = Path(self.process.stdout.readline().decode().strip())
        self._told = b""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        # Between fork and exec a writer cannot be told from its parent.
        wait_for(self.writers)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            self._told += chunk

    @property
    def acknowledged(self) -> int:
        """Return how many calls are known to have returned."""
        return self._told.count(b"\n")

    def writers(self) -> list[int]:
        """Return the writer processes that the trainer has now."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                stat = (entry / "stat").read_text()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
            if int(parent) == self.process.pid and state != "Z" and b"kohakuboard.writer" in command:
                found.append(int(entry.name))
        return found

    def wait(self) -> None:
        self.process.wait(60)
        self._listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def check_whole(run: Run, acknowledged: int) -> None:
    """Every call that returned is there, none twice; one more may have been cut off after it was written."""
    for name in ("loss", "acc"):
        series = run.series(name)
        steps = series.step.tolist()
        assert steps == list(range(len(steps)))
        assert len(steps) - acknowledged in (0, 1)
        assert len(np.unique(series.seq)) == len(steps)
    assert run.series("acc").value.tolist() == run.series("acc").step.tolist()
    assert run.metrics["loss"].count == len(run.series("loss").step)
    assert run.config == {"lr": 0.1}


def wait_for(condition: object, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


@pytest.mark.parametrize("trial", range(10))
def test_a_killed_trainer_loses_nothing_and_its_run_crashed(tmp_path: Path, trial: int) -> None:
    victim = Victim(tmp_path, ENDLESS)
    writers = victim.writers()
    time.sleep(random.Random(trial).uniform(0, 2))
    os.kill(victim.process.pid, signal.SIGKILL)
    victim.wait()

    run = open_run(victim.path)
    assert run.status == "crashed"
    check_whole(run, victim.acknowledged)

    # The orphaned writer drains the journal, says how it ended, and ends.
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in writers))
    run = open_run(victim.path)
    assert run.status == "crashed"
    assert not (victim.path / "journal").exists()
    assert "ends: the trainer is gone" in (victim.path / "writer.log").read_text()
    check_whole(run, victim.acknowledged)


@pytest.mark.parametrize("trial", range(10))
def test_a_killed_writer_is_replaced_and_training_does_not_notice(tmp_path: Path, trial: int) -> None:
    victim = Victim(tmp_path, 2500)
    time.sleep(random.Random(100 + trial).uniform(0, 2))
    wait_for(victim.writers)
    killed = victim.writers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    victim.wait()

    assert victim.process.returncode == 0
    run = open_run(victim.path)
    assert run.status == "finished"
    check_whole(run, 2500)
    assert not (victim.path / "journal").exists(), "the second writer did not take over"


@pytest.mark.parametrize("trial", range(10))
def test_both_killed_at_once_lose_nothing(tmp_path: Path, trial: int) -> None:
    victim = Victim(tmp_path, ENDLESS)
    time.sleep(random.Random(200 + trial).uniform(0, 2))
    for pid in [victim.process.pid, *victim.writers()]:
        os.kill(pid, signal.SIGKILL)
    victim.wait()

    run = open_run(victim.path)
    assert run.status == "crashed"
    check_whole(run, victim.acknowledged)

    recovered = subprocess.run(
        [sys.executable, "-c", "import sys; from pathlib import Path; from kohakuboard.writer import recover\n"
         "print(recover(Path(sys.argv[1])))", str(victim.path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert recovered.stdout == "True\n"
    run = open_run(victim.path)
    assert run.status == "crashed"
    assert not (victim.path / "journal").exists()
    check_whole(run, victim.acknowledged)
