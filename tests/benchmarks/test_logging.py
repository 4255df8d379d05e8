"""What a call costs training, and how many points arrive in a second, beside baselines timed in the same run.

    scripts/bench                        everything
    scripts/bench -k points_per_second   one table

Each figure is the median of ROUNDS rounds; the rounds of all subjects take turns, so that a machine that slows down
slows all of them. The ratios are what counts; the milliseconds are this machine's.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kohakuboard import Board
from kohakuboard.reader import open_run

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

ROUNDS = 7
CALLS = 20_000
CALLS_BESIDE_BUSY = 1500

Metrics = dict[str, float]


class Figures(NamedTuple):
    """Times of one call in µs, and CPU time of the whole process per call in µs."""

    p50: float
    p99: float
    p999: float
    cpu: float


class Subject(NamedTuple):
    """Hold something that takes one dict a call; `settle` waits until what it does behind the caller's back is done."""

    call: Callable[[Metrics], Any]
    settle: Callable[[], Any] = lambda: None


@contextmanager
def busy_thread() -> Iterator[None]:
    """Keep another Python thread busy, as a data loader or a progress bar does."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(i * i for i in range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def rows(n_metrics: int, count: int) -> list[Metrics]:
    """Return dicts as a training loop makes them: the same names, values of full precision."""
    draw = random.Random(n_metrics)
    names = [f"train/metric_{i}" for i in range(n_metrics)]
    return [{name: draw.random() for name in names} for _ in range(count)]


def measure(subject: Subject, metrics: list[Metrics]) -> Figures:
    call, clock = subject.call, time.perf_counter_ns
    times = []
    cpu_before = time.process_time_ns()
    for row in metrics:
        began = clock()
        call(row)
        times.append(clock() - began)
    subject.settle()
    cpu = time.process_time_ns() - cpu_before
    times.sort()
    p50, p99, p999 = (times[int(len(times) * part)] / 1000 for part in (0.5, 0.99, 0.999))
    return Figures(p50, p99, p999, cpu / 1000 / len(metrics))


def take_turns(subjects: dict[str, Callable[[], Subject]], metrics: list[Metrics]) -> dict[str, Figures]:
    """Return the median of each figure over the rounds."""
    found: dict[str, list[Figures]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, make in subjects.items():
            found[name].append(measure(make(), metrics))
    return {
        name: Figures(*map(statistics.median, zip(*rounds, strict=True))) for name, rounds in found.items()
    }


def consume(queue: Any) -> None:
    """Empty a queue, in a process of its own, until None comes."""
    while queue.get() is not None:
        pass


class Baselines:
    """The bare ways to get a dict out of a training loop."""

    def __init__(self, directory: Path) -> None:
        self._json = (directory / "lines.jsonl").open("w")
        self._fd = os.open(directory / "rows.bin", os.O_WRONLY | os.O_CREAT)
        context = multiprocessing.get_context("spawn")
        self._context = context
        self._queues: list[tuple[Any, Any]] = []

    def json_line(self) -> Subject:
        """A JSON line into a buffered file."""
        write, dumps = self._json.write, json.dumps
        return Subject(lambda metrics: write(dumps(metrics) + "\n"), self._json.flush)

    def queue_put(self) -> Subject:
        """multiprocessing.Queue.put, with its feeder thread, and a process that takes the dicts out."""
        queue = self._context.Queue()
        consumer = self._context.Process(target=consume, args=(queue,))
        consumer.start()
        queue.put({})

        def settle() -> None:
            queue.put(None)
            queue.close()
            queue.join_thread()
            consumer.join()

        return Subject(queue.put, settle)

    def os_write(self) -> Subject:
        """The cheapest that makes a system call: the same bytes as our row, with os.write."""
        fd, write, packers = self._fd, os.write, {n: struct.Struct(f"<IIQqqd{n}d").pack for n in (2, 100)}
        return Subject(lambda metrics: write(fd, packers[len(metrics)](56, 0, 1, 1, 1, 1, *metrics.values())))

    def close(self) -> None:
        self._json.close()
        os.close(self._fd)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board("benchmark", base_dir=tmp_path, capture_output=False)
    yield board
    board.finish()


@pytest.fixture
def baselines(tmp_path: Path) -> Iterator[Baselines]:
    baselines = Baselines(tmp_path)
    yield baselines
    baselines.close()


def show(capsys: pytest.CaptureFixture[str], title: str, found: dict[str, Figures], *, cpu: bool) -> None:
    with capsys.disabled():
        print(
            f"\n\n{title}\n{'µs a call':<28}{'p50':>10}{'p99':>10}{'p99.9':>10}"
            + (f"{'CPU':>10}" if cpu else "")
        )
        for name, figures in found.items():
            shown = figures if cpu else figures[:3]
            print(f"{name:<28}" + "".join(f"{figure:>10.2f}" for figure in shown))


def ratio(capsys: pytest.CaptureFixture[str], text: str, ours: float, theirs: float, aim: float) -> None:
    with capsys.disabled():
        print(f"  {text}: {ours / theirs:.3g} ×   (aim: at most {aim} ×)")


@pytest.mark.parametrize("n_metrics", [2, 100])
def test_cost_of_a_call(
    n_metrics: int, board: Board, baselines: Baselines, capsys: pytest.CaptureFixture[str]
) -> None:
    found = take_turns(
        {
            "Board.log": lambda: Subject(board.log),
            "JSON line, buffered file": baselines.json_line,
            "multiprocessing.Queue.put": baselines.queue_put,
        },
        rows(n_metrics, CALLS if n_metrics < 10 else CALLS // 10),
    )
    show(capsys, f"{n_metrics} metrics a call, nothing else running", found, cpu=True)
    ours, line, queue = found.values()
    ratio(capsys, "p50 against the JSON line", ours.p50, line.p50, 0.5)
    ratio(capsys, "CPU against Queue.put", ours.cpu, queue.cpu, 0.6)


@pytest.mark.parametrize("n_metrics", [2, 100])
def test_cost_of_a_call_beside_a_busy_thread(
    n_metrics: int, board: Board, baselines: Baselines, capsys: pytest.CaptureFixture[str]
) -> None:
    with busy_thread():
        found = take_turns(
            {
                "Board.log": lambda: Subject(board.log),
                "JSON line, buffered file": baselines.json_line,
                "multiprocessing.Queue.put": baselines.queue_put,
                "os.write": baselines.os_write,
            },
            rows(n_metrics, CALLS_BESIDE_BUSY),
        )
    show(capsys, f"{n_metrics} metrics a call, beside a busy Python thread", found, cpu=False)
    # Queue.put leaves the system call to its feeder thread, and the buffered file makes one in 8 KiB.
    ratio(capsys, "p99 against os.write", found["Board.log"].p99, found["os.write"].p99, 0.1)


def test_points_per_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls, n_metrics = 100_000, 10
    metrics = rows(n_metrics, 1000) * (calls // 1000)
    logged, finished, seen = [], [], []
    for i in range(3):
        board = Board("benchmark", base_dir=tmp_path / str(i), capture_output=False)
        began = time.perf_counter()
        for row in metrics:
            board.log(row)
        logged.append(time.perf_counter() - began)
        board.finish()
        finished.append(time.perf_counter() - began)
        run = open_run(board.path)
        assert all(len(run.series(name).step) == calls for name in metrics[0])
        seen.append(time.perf_counter() - began)
    points = calls * n_metrics
    with capsys.disabled():
        print(f"\n\n{calls} calls × {n_metrics} metrics, seconds and points per second")
        for name, seconds in (
            ("log() returned", logged),
            ("finish() returned", finished),
            ("read back", seen),
        ):
            median = statistics.median(seconds)
            print(f"{name:<28}{median:>10.2f}{points / median:>14,.0f}")


def test_cost_of_the_import(capsys: pytest.CaptureFixture[str]) -> None:
    def seconds(program: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - began

    rounds = [(seconds("pass"), seconds("import kohakuboard")) for _ in range(15)]
    bare = statistics.median(bare for bare, _ in rounds) * 1000
    more = statistics.median(ours - bare for bare, ours in rounds) * 1000
    with capsys.disabled():
        print(
            f"\n\nimport kohakuboard: {more:.0f} ms over a bare interpreter's {bare:.0f} ms   (aim: under 60 ms)"
        )
