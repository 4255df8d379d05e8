"""Whether a call, and a point, cost the same when there are many already."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kohakuboard import Board
from tests.benchmarks.figures import Figures
from tests.benchmarks.peers.run import run_driver
from tests.benchmarks.timing import Subject, measure, rows

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

WINDOW = 10_000


def test_time_of_a_call_after_many(board: Board, figures: Figures) -> None:
    metrics = rows(2, WINDOW)
    found = {}
    logged = 0
    for calls in (1, 10, 100):
        while logged < (calls - 1) * WINDOW:
            for row in metrics:
                board.log(row)
            logged += WINDOW
        # The best of three windows: they are short, and one may meet the writer's import or flush.
        found[calls] = min(measure(Subject(board.log), metrics).p50 for _ in range(3))
        logged += 3 * WINDOW
    for calls in (10, 100):
        figures.record(
            f"time of a call, p50, after {calls * WINDOW:,} calls",
            found[calls],
            "µs",
            against=f"after the first {WINDOW:,}",
            theirs=found[1],
            at_most=1.1,
        )


def test_cost_of_a_point_among_many(tmp_path: Path, figures: Figures) -> None:
    """CPU of all processes, less what a run of one call takes.

    It is not flat by intention: 1M points are one chunk of each metric at once, more are merged up to three times.
    """

    def cpu_s(calls: int) -> float:
        directory = tmp_path / str(calls)
        directory.mkdir()
        return run_driver(sys.executable, "kohakuboard", directory, calls, 10)[1]

    start = min(cpu_s(calls) for calls in (1, 2, 3))
    per_point = {points: (cpu_s(points // 10) - start) / points for points in (10**6, 10**7)}
    figures.record(
        "CPU of all processes per point, of 10M",
        per_point[10**7] * 1e6,
        "µs",
        against="of 1M",
        theirs=per_point[10**6] * 1e6,
    )
