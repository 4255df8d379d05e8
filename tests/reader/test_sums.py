from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kohakuboard.errors import MetricNotFoundError
from kohakuboard.journal.scan import Column, join_columns
from kohakuboard.reader import Attempt, Metric, Run, open_run
from kohakuboard.storage.summary import summarise
from tests.reader.lives import Happening, Life, happenings

LOOK = st.tuples(st.just("look"), st.sampled_from(["refresh", "refresh", "anew"]))

# Logs from a step on and is killed, and its writer before it has stored anything.
TRAINER = """
import os, signal, sys
from kohakuboard import Board

root, at_step, begin, end = sys.argv[1], *map(int, sys.argv[2:])
board = Board(base_dir=root, run_id="one", at_step=at_step, capture_output=False)
os.kill(board._supervisor.writer_pid, signal.SIGKILL)
for step in range(begin, end):
    board.log(loss=at_step + step / 1000, step=step)
    if at_step < 0 and begin == 0 and end == 10:
        board.log(eval=step, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""


def assert_sums_fit(run: Run) -> None:
    """Compare each summary with all points that are shown; a metric none of which is shown is not there."""
    for rank in (0, 1):
        for name in ("loss", "eval"):
            pieces = [column for _, column in run.parts(name, rank) if len(column.seqs)]
            assert (rank in run.ranks(name)) == bool(pieces), (rank, name)
            if pieces:
                found = run._sums().by_rank[rank][name]
                assert_same(found, summarise(name, join_columns(pieces)), in_order=in_order(run, name, rank))
                assert run.series(name, rank=rank).step.tolist() == join_columns(pieces).steps.tolist()
            else:
                with pytest.raises(MetricNotFoundError):
                    run.series(name, rank=rank)
    for name in run.metrics:
        assert len(run.series(name).value)
        assert len(run.across_ranks(name).step)
        assert len(run.follow(name).value)
    assert run.last_step == max((metric.step_hi for metric in run.metrics.values()), default=None)


def in_order(run: Run, name: str, rank: int) -> bool:
    """Tell whether one process alone logged a metric in each attempt, so that its points are shown as they came."""
    logged = run._columns(name).keys()
    return all(len(logged & set(one.shards)) < 2 for one in run._attempts_of(rank, None))


def assert_same(found: Metric, expected: Metric, *, in_order: bool) -> None:
    """Compare bit by bit but for the sum, whose rounding depends on what was added first.

    Points of several processes are shown in the order of their times, and added up in that in which they are stored: of
    these it may be another that is the last, or the first of the lowest.
    """
    total, exact = found.sum, expected.sum
    assert repr(total) == repr(exact) or math.isclose(total, exact, rel_tol=1e-9, abs_tol=1e-9)
    fields = set(Metric.__struct_fields__) - {"sum"}
    if not in_order:
        fields -= {"last", "last_step", "last_time_us", "min_step", "max_step"}
    assert {field: repr(getattr(found, field)) for field in fields} == {
        field: repr(getattr(expected, field)) for field in fields
    }


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(happenings(LOOK))
@example([("log", "loss", 5, 1), ("attempt", None), ("log", "loss", 1, -3)])
def test_summaries_are_of_the_points_that_are_shown_whatever_happens(history: list[Happening]) -> None:
    with TemporaryDirectory() as folder, Life(Path(folder) / "p" / "r") as life:
        run = open_run(life.run)
        for what, *how in history:
            if what != "look":
                life.happen(what, *how)
                continue
            if how == ["anew"]:
                run = open_run(life.run)
            run.refresh()
            assert_sums_fit(run)
        run.refresh()
        assert_sums_fit(run)


class Counting(Run):
    """A run that tells which series were read whole."""

    def parts(self, name: str, *args: Any, **which: Any) -> list[tuple[Attempt, Column]]:
        """Read a series."""
        self.whole.append(name)
        return super().parts(name, *args, **which)

    def newly_read(self) -> list[str]:
        """Refresh, ask for the summaries, and return what was read whole for them."""
        self.whole: list[str] = []
        self.refresh()
        assert "loss" in self.metrics
        return sorted(self.whole)


def test_what_an_attempt_has_gone_back_behind_is_read_once(tmp_path: Path) -> None:
    """It was read at each refresh: a page of a live run that shows a series of a million points, for each point."""
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 50, 1)
        life.happen("log", "eval", 50, 1)
        life.happen("flush")
        run = Counting(life.run)
        assert run.newly_read() == []
        life.happen("attempt", 20)
        assert run.newly_read() == ["eval", "loss"]
        for size in (3, 60, 1):
            life.happen("log", "loss", size, 1)
            assert run.newly_read() == (["eval", "loss"] if size == 3 else [])
            assert run.newly_read() == []
        # By another writer, with a database of its own, which stores what is left of the journal once more.
        life.happen("writer")
        for size in (2, 3, 4):
            life.happen("log", "loss", size, 1)
            life.happen("flush")
            assert run.newly_read() == (["eval", "loss"] if size == 2 else [])
            life.happen("log", "loss", 1, 1)
            assert run.newly_read() == []
        run.refresh()
        assert_sums_fit(run)


def train(root: Path, at_step: int, begin: int, end: int) -> None:
    command = [sys.executable, "-c", TRAINER, str(root), *map(str, (at_step, begin, end))]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL


@pytest.mark.parametrize("logged", [0, 3])
@pytest.mark.parametrize("at_step", [-1, 4])
def test_an_attempt_that_goes_back_behind_points_that_are_not_stored_leaves_what_is_shown_readable(
    tmp_path: Path, at_step: int, logged: int
) -> None:
    """Summaries counted them, and what was shown of none was taken for damaged: charts of it were answered by a 404."""
    train(tmp_path, -1, 0, 10)
    train(tmp_path, at_step, at_step + 1, at_step + 1 + logged)
    path = tmp_path / "default" / "one"
    assert os.listdir(path / "journal")
    assert not (path / "scalars").exists()
    run = open_run(path)
    kept = list(range(at_step + 1))
    steps = kept + list(range(at_step + 1, at_step + 1 + logged))
    expected = {name: which for name, which in (("loss", steps), ("eval", kept)) if which}
    assert {name: run.series(name).step.tolist() for name in run.metrics} == expected
    assert {name: metric.count for name, metric in run.metrics.items()} == {
        name: len(which) for name, which in expected.items()
    }
    assert_sums_fit(run)
    assert run.series("eval", attempt=1).step.tolist() == list(range(10))
    with pytest.raises(MetricNotFoundError):
        run.series("eval", attempt=2)
