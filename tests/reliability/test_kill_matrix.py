"""SIGKILL at every moment of a run's life, of every process of it: no acknowledged record is lost or doubled.

The short form kills once at each moment for half of the targets, the long one (-m long) 252 times more.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard.reader import Run, open_run
from kohakuboard.reader.run import is_run
from kohakuboard.writer import recover
from tests.reliability.processes import wait_for, wait_for_writers, writers_of
from tests.reliability.victim import FINISHING, LOGGING, NOISY_EVERY, OVER, STARTING, TABLE_ROWS, Victim

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL here")

LONG_ROUNDS = 10
# When to kill: how long after which phase began, or what is waited for in the run's directory.
MOMENTS = ("start", "logging", "segment", "flush", "merge", "finish")
TARGETS = ("trainer", "writer", "both", "group")
# With these the moment comes only when much is logged.
BURSTS = ("segment", "flush", "merge")


def files(run: Path, pattern: str) -> int:
    """Return how many files of a run there are, hidden and half-made ones included."""
    return sum(1 for _ in run.glob(pattern))


def wait_for_one_more(victim: Victim, pattern: str, timeout_s: float = 20.0) -> None:
    """Wait for another file, as closely as can be; no longer than the victim lives."""
    before, deadline = files(victim.run, pattern), time.monotonic() + timeout_s
    while files(victim.run, pattern) <= before and victim.phase < OVER and victim.process.poll() is None:
        if time.monotonic() > deadline:
            return
        time.sleep(0.0005)


def wait_for_moment(victim: Victim, moment: str, random: Random) -> None:
    """Return when it is time to kill."""
    if moment == "start":
        time.sleep(random.uniform(0.05, 0.6))
        return
    victim.reach(LOGGING)
    if moment == "logging":
        time.sleep(random.uniform(0, 1.5))
    elif moment == "segment":
        time.sleep(random.uniform(0, 0.5))
        wait_for_one_more(victim, "journal/*/*.kbj*")
        time.sleep(random.uniform(0, 0.002))
    elif moment == "flush":
        wait_for_one_more(victim, "scalars/*.lance/data/*")
        time.sleep(random.uniform(0, 0.03))
    else:
        time.sleep(random.uniform(0.3, 1.5))
        victim.finish()
        victim.reach(FINISHING)
        if moment == "merge":
            # The first is the last flush, the next the merge of all that is small.
            for _ in range(random.choice([1, 2, 2, 3])):
                wait_for_one_more(victim, "scalars/*.lance/data/*")
            time.sleep(random.uniform(0, 0.03))
        else:
            time.sleep(random.uniform(0, 0.8))


def check_scalars(run: Run, acknowledged: int) -> int:
    """Assert that every call that returned is there, once, in order; return how many are there.

    One more than acknowledged may have been written when its process was killed before it could tell.
    """
    count = 0
    for name in ("loss", "acc") if acknowledged or "loss" in run.metrics else ():
        series = run.series(name)
        count = len(series.step)
        assert count - acknowledged in (0, 1), f"{name}: {acknowledged} acknowledged, {count} there"
        assert np.array_equal(series.step, np.arange(count))
        assert np.all(np.diff(series.time.astype(np.int64)) >= -1_000_000)
        assert run.metrics[name].count == count
        expected = series.step if name == "acc" else 1 / (series.step + 1)
        assert np.array_equal(series.value, expected)
    return count


def check_rich(run: Run, count: int, every: int) -> None:
    """Assert that each rich value of the first `count` steps is stored once, with its content."""
    steps = list(range(0, count, every)) if every else []
    pictures = run.media("picture")
    assert [entry.step for entry in pictures] == steps
    assert [entry.caption for entry in pictures] == [f"step {step}" for step in steps]
    if not steps:
        return
    weights = run.histograms("weights")
    assert weights.step.tolist() == steps
    assert weights.counts.tolist() == [[step % 7, step % 11, step] for step in steps]
    for step in {steps[0], steps[len(steps) // 2], steps[-1]}:
        assert run.table("rows", step).rows == [[step, f"row {i}"] for i in range(TABLE_ROWS)]
    for entry in (pictures[0], pictures[-1]):
        assert _color(entry.read()) == entry.step % 251
    noisy = run.media("noise")
    assert [entry.step for entry in noisy] == [
        step for step in steps if step % NOISY_EVERY == 0 for _ in range(2)
    ]
    vectors = run.tensors("vector")
    assert [entry.step for entry in vectors] == steps
    for tensor in (vectors[0], vectors[-1]):
        assert np.array_equal(tensor.array(), np.full(tensor.shape, tensor.step))
    # What nobody can find any more would be kept for ever.
    assert stored_hashes(run.path) == {one.hash for one in run.media()} | {one.hash for one in vectors}


def stored_hashes(run: Path) -> set[str]:
    """Return the hashes of all bytes that are stored, small and large; each file has the content that its name says."""
    large = [path for path in (run / "media").glob("**/*") if path.is_file() and path.suffix != ".tmp"]
    for path in large:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    small: set[str] = set()
    for database in run.glob("media*.db"):
        with closing(sqlite3.connect(database)) as connection:
            small |= {digest for (digest,) in connection.execute("SELECT hash FROM media")}
    return small | {path.stem for path in large}


def _color(png: bytes) -> int:
    with Image.open(io.BytesIO(png)) as image:
        pixel = image.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


def check(victim: Victim, status: set[str]) -> tuple[Run, int]:
    """Check what a reader sees of the scalars; return it, and how many calls are there."""
    run = open_run(victim.run)
    assert run.status in status
    assert not run.problems
    count = check_scalars(run, victim.acknowledged)
    if count:
        assert run.config == {"lr": 0.1}
    if victim.words[3]:
        child = run.series("child")
        assert len(child.step) - victim.words[3] in (0, 1)
        assert np.array_equal(child.value, np.arange(len(child.step)))
    return run, count


def _kills() -> Iterator[Any]:
    for (i, moment), (j, target) in product(enumerate(MOMENTS), enumerate(TARGETS)):
        for number in range(LONG_ROUNDS + 1):
            short = number == 0 and (i + j) % 2 == 0
            yield pytest.param(moment, target, number, marks=() if short else pytest.mark.long)


@pytest.mark.parametrize(("moment", "target", "round_"), list(_kills()))
def test_no_kill_loses_or_doubles_a_call(tmp_path: Path, moment: str, target: str, round_: int) -> None:
    random = Random(f"{moment} {target} {round_}")
    paced = moment not in BURSTS and random.random() < 0.5
    rich_every = random.choice([0, 10 if paced else 500])
    victim = Victim(
        tmp_path / "runs",
        paced=paced,
        rich_every=rich_every,
        forked=target == "group",
        at_exit=moment == "finish" and random.random() < 0.5,
    )
    wait_for_moment(victim, moment, random)
    phase = victim.phase
    victim.kill(target)
    if target == "writer":
        _check_that_training_went_on(victim)
    else:
        _check_that_the_run_can_be_gone_on_with(victim, phase, target, random)


def _check_that_the_journal_is_gone(run: Path) -> None:
    # A process killed before it named its first segment has logged nothing; what it left goes ten seconds later.
    assert not list(run.glob("journal/*/*.kbj"))
    assert not list(run.glob("journal/*/*.staged"))


def _check_that_training_went_on(victim: Victim) -> None:
    victim.reach(LOGGING)
    seen = victim.acknowledged
    if victim.phase == LOGGING:
        wait_for(lambda: victim.acknowledged > seen + 100)
    victim.finish()
    assert victim.process.wait(60) == 0
    wait_for_writers(victim.run)
    run, count = check(victim, {"finished"})
    assert count == victim.acknowledged
    check_rich(run, count, victim.rich_every)
    _check_that_the_journal_is_gone(victim.run)


def _check_that_the_run_can_be_gone_on_with(victim: Victim, phase: int, target: str, random: Random) -> None:
    # It may have said that it finished just before, and was cut off while it waited.
    status = {STARTING: {"crashed"}, LOGGING: {"crashed"}, OVER: {"finished"}}.get(
        phase, {"crashed", "finished"}
    )
    if phase in (STARTING, LOGGING) and victim.phase > phase:
        status = {"crashed", "finished"}
    if not victim.run.is_dir() or not is_run(victim.run):
        assert victim.acknowledged == 0
        count = 0
    else:
        _, count = check(victim, status)
        if target == "trainer":
            wait_for_writers(victim.run)
        # One that was only just forked is nobody's yet, and was not killed.
        wait_for(lambda: not writers_of(victim.run))
        if random.random() < 0.5 or target == "trainer":
            recover(victim.run)
            run, count = check(victim, status)
            check_rich(run, count, victim.rich_every)
            _check_that_the_journal_is_gone(victim.run)
    again = Victim(victim.run.parents[1], start=count, paced=False, rich_every=victim.rich_every)
    again.reach(LOGGING)
    wait_for(lambda: again.acknowledged > count + 100)
    again.finish()
    assert again.process.wait(60) == 0
    wait_for_writers(again.run)
    run, count = check(again, {"finished"})
    assert count == again.acknowledged
    check_rich(run, count, victim.rich_every)
    _check_that_the_journal_is_gone(again.run)
