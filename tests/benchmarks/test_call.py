"""What one call of `log` costs training."""

from __future__ import annotations

import pytest

from kohakuboard import Board
from tests.benchmarks.baselines import JSON_LINE, OS_WRITE, QUEUE_PUT, Baselines
from tests.benchmarks.figures import Figures
from tests.benchmarks.timing import Subject, busy_thread, rows, take_turns

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

CALLS = 20_000
CALLS_BESIDE_BUSY = 3000


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


def test_cost_of_a_call_beside_a_busy_thread(board: Board, baselines: Baselines, figures: Figures) -> None:
    with busy_thread():
        subjects = {"log": lambda: Subject(board.log), "write": baselines.os_write}
        found = take_turns(subjects, rows(2, CALLS_BESIDE_BUSY))
    ours, write = found["log"], found["write"]
    figures.record(
        "p99 beside a busy thread", ours.p99, "µs", against=OS_WRITE, theirs=write.p99, at_most=0.05
    )
    figures.record(
        "p99.9 beside a busy thread", ours.p999, "µs", against=OS_WRITE, theirs=write.p999, at_most=0.05
    )
