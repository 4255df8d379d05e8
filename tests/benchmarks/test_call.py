"""What one call of `log` costs training."""

from __future__ import annotations

import pytest

from kohakuboard import Board
from tests.benchmarks.baselines import JSON_LINE, OS_WRITE, QUEUE_PUT, Baselines
from tests.benchmarks.figures import Figures
from tests.benchmarks.timing import Subject, busy_thread, rows, take_turns

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

CALLS = 20_000
CALLS_BESIDE_BUSY = 2000
PAUSE_S = 0.0002


def test_cost_of_a_call(board: Board, baselines: Baselines, figures: Figures) -> None:
    subjects = {
        "log": lambda: Subject(board.log),
        "json": baselines.json_line,
        "queue": baselines.queue_put,
    }
    found = take_turns(subjects, rows(2, CALLS))
    ours, line, queue = found["log"], found["json"], found["queue"]
    figures.record(
        "log() of 2 metrics, p50", ours.p50, "µs", against=JSON_LINE, theirs=line.p50, at_most=0.45
    )
    figures.record(
        "CPU of training per log()", ours.cpu, "µs", against=QUEUE_PUT, theirs=queue.cpu, at_most=0.5
    )


def test_cost_of_a_call_with_many_metrics(board: Board, baselines: Baselines, figures: Figures) -> None:
    subjects = {"log": lambda: Subject(board.log), "json": baselines.json_line}
    found = take_turns(subjects, rows(100, CALLS // 10))
    figures.record(
        "log() of 100 metrics, p50 per metric",
        found["log"].p50 / 100,
        "µs",
        against=JSON_LINE,
        theirs=found["json"].p50 / 100,
        at_most=0.25,
    )


@pytest.mark.parametrize("pause_s", [PAUSE_S, None])
def test_cost_of_a_call_beside_a_busy_thread(
    pause_s: float | None, board: Board, baselines: Baselines, figures: Figures
) -> None:
    """In a loop that waits now and then for a device or for data; and in one that does nothing but log.

    Whoever makes a system call gives the global lock away, and waits for it if the busy thread is quick enough to take
    it: 5 ms, or longer. In a loop without a pause that thread sleeps too deeply to be quick enough.
    """
    with busy_thread():
        subjects = {"log": lambda: Subject(board.log), "write": baselines.os_write}
        rounds = 3 if pause_s else 7
        found = take_turns(subjects, rows(2, CALLS_BESIDE_BUSY), rounds=rounds, pause_s=pause_s)
    ours, write = found["log"], found["write"]
    loop = "beside a busy thread" if pause_s else "beside a busy thread, tight loop"
    for name, mine, theirs in (("p99", ours.p99, write.p99), ("p99.9", ours.p999, write.p999)):
        figures.record(f"{name} {loop}", mine, "µs", against=OS_WRITE, theirs=theirs, at_most=0.05)
