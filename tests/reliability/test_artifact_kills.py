"""SIGKILL while artifacts are staged, hashed, put in their place and noted: none that was logged is lost or half."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kohakuboard.journal.process import host_name, is_alive
from kohakuboard.reader import open_run
from kohakuboard.reader.run import is_run
from kohakuboard.writer import recover
from tests.reliability.processes import wait_for, wait_for_writers, writers_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL here")

LONG_ROUNDS = 25
# A moment is how long after which of these there is one more of in the run's directory.
MOMENTS = {
    "staging": "journal/*/*.artifact/1",
    "recorded": "journal/*/*.artifact/manifest.json",
    "placing": "artifacts/.*.tmp",
    "placed": "artifacts/??/*",
}
TARGETS = ("trainer", "writer", "both")
FILES, FILE_BYTES = 3, 300_000

# Shares two words with the test: how many artifacts are logged; set by the test: finish now.
PROGRAM = """
import mmap, sys
from pathlib import Path
from kohakuboard import Board
root, first = Path(sys.argv[1]), int(sys.argv[3])
with open(sys.argv[2], "r+b") as file:
    words = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
data = root.parent / "data"
data.mkdir(exist_ok=True)
board = Board("victim", run_id="victim", base_dir=root, capture_output=False, system_metrics_every_s=0)
number = first
while not words[1] and number < first + 60:
    for i in range(3):
        (data / str(i)).write_bytes(b"%d of %d;" % (i, number) + bytes(300_000))
    board.log_artifact(data)
    number += 1
    words[0] = number
board.finish()
"""


class Logger:
    """Start a program that logs artifacts to the run "victim" below `root`, the first of them with this number."""

    def __init__(self, root: Path, first: int = 0) -> None:
        self.run = root / "default" / "victim"
        shared = root.with_name(f"{root.name}-{first}.words")
        shared.write_bytes(bytes(16))
        with open(shared, "r+b") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
        self.words[0] = first
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(root), str(shared), str(first)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_for_one_more(self, pattern: str) -> None:
        """Wait for another file, as closely as can be; no longer than the program lives."""
        before = set(self.run.glob(pattern))
        while set(self.run.glob(pattern)) <= before and self.process.poll() is None:
            time.sleep(0.0005)

    def kill(self, target: str) -> None:
        """Kill the program, its writers, or both, and wait until they are gone."""
        killed = writers_of(self.run) if target != "trainer" else []
        if target != "writer":
            self.process.kill()
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if target != "writer":
            self.process.wait(60)
        wait_for(lambda: not any(is_alive(host_name(), pid, None) for pid in killed))

    def finish(self) -> None:
        """Let it end in its own way."""
        self.words[1] = 1
        assert self.process.wait(60) == 0
        wait_for_writers(self.run)


def check(run: Path, logged: int) -> int:
    """Assert that each artifact that was logged is there, whole and once; return how many are there."""
    reading = open_run(run)
    assert reading.problems == []
    versions = reading.artifacts
    # One more may have been recorded when its process was killed before it could tell.
    assert len(versions) - logged in (0, 1), f"{logged} logged, {len(versions)} there"
    assert [version.version for version in versions] == list(range(len(versions)))
    for number, version in enumerate(versions):
        for i in range(FILES):
            content = b"%d of %d;" % (i, number) + bytes(FILE_BYTES)
            assert (version.path / str(i)).read_bytes() == content, (number, i)
    assert not list(run.glob("artifacts/.*"))
    assert len(list(run.glob("artifacts/??/*"))) == len(versions), "a directory without a row"
    assert not list(run.glob("journal/*/*.artifact"))
    return len(versions)


def _kills() -> Iterator[Any]:
    for (i, moment), (j, target) in product(enumerate(MOMENTS), enumerate(TARGETS)):
        for number in range(LONG_ROUNDS + 1):
            short = number == 0 and (i + j) % 3 == 0
            yield pytest.param(moment, target, number, marks=() if short else pytest.mark.long)


@pytest.mark.parametrize(("moment", "target", "round_"), list(_kills()))
def test_no_kill_loses_an_artifact_or_keeps_half_of_one(
    tmp_path: Path, moment: str, target: str, round_: int
) -> None:
    random = Random(f"{moment} {target} {round_}")
    logger = Logger(tmp_path / "runs")
    wait_for(lambda: logger.words[0] > 0 or logger.process.poll() is not None)
    time.sleep(random.uniform(0, 0.5))
    logger.wait_for_one_more(MOMENTS[moment])
    time.sleep(random.uniform(0, 0.02))
    logger.kill(target)
    if target == "writer":
        logger.finish()
        assert check(logger.run, logger.words[0]) == logger.words[0]
        return
    assert is_run(logger.run)
    if target == "trainer":
        wait_for_writers(logger.run)
    wait_for(lambda: not writers_of(logger.run))
    recover(logger.run)
    count = check(logger.run, logger.words[0])
    again = Logger(tmp_path / "runs", count)
    wait_for(lambda: again.words[0] > count)
    again.finish()
    check(again.run, again.words[0])
