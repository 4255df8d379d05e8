"""How long a million points take until another process has read them, beside a bare csv and beside other trackers."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.benchmarks.figures import Figures
from tests.benchmarks.peers.run import run_driver

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

CALLS, METRICS = 100_000, 10
POINTS = CALLS * METRICS
ROUNDS = 3
# Title, and rounds: those of which a round takes a minute are so far behind that one is enough.
PEERS = {
    "trackio": ("trackio", 3),
    "tensorboardx": ("tensorboardX", 1),
    "wandb": ("wandb, offline", 1),
}


class Passage(NamedTuple):
    """Hold what became of the points: seconds until finish() returned, until they were read, and of CPU for writing.

    CPU is that of the process that logged and of all processes that it waited for.
    """

    finished_s: float
    read_s: float
    cpu_s: float

    @property
    def points_per_s(self) -> float:
        """Return how quickly the points came to whoever reads them."""
        return POINTS / (self.finished_s + self.read_s)


def passage(python: str, name: str, directory: Path) -> Passage:
    """Send the points through one tracker."""
    directory.mkdir(parents=True)
    times, cpu_s = run_driver(python, name, directory, CALLS, METRICS)
    began = time.perf_counter()
    found, _ = run_driver(python, name, directory)
    read_s = time.perf_counter() - began
    assert found["points"] == POINTS
    return Passage(times["finished_s"], read_s, cpu_s)


def median(passages: list[Passage]) -> Passage:
    return Passage(*map(statistics.median, zip(*passages, strict=True)))


def in_turns(directory: Path, peer: str, *, peer_python: str, rounds: int) -> tuple[Passage, Passage]:
    """Return what became of the points with us and with a peer, the median of each."""
    ours, theirs = [], []
    for i in range(max(rounds, ROUNDS)):
        ours.append(passage(sys.executable, "kohakuboard", directory / f"ours-{i}"))
        if i < rounds:
            theirs.append(passage(peer_python, peer, directory / f"{peer}-{i}"))
    return median(ours), median(theirs)


def test_a_million_points(tmp_path: Path, figures: Figures) -> None:
    ours, bare = in_turns(tmp_path, "csv", peer_python=sys.executable, rounds=ROUNDS)
    figures.record(
        "1M points until read elsewhere",
        ours.points_per_s,
        "points/s",
        against="a bare csv.writer",
        theirs=bare.points_per_s,
        at_least=1.0,
    )
    figures.record(
        "1M points until finish() returned",
        ours.finished_s,
        "s",
        against="a bare csv.writer",
        theirs=bare.finished_s,
    )
    figures.record("CPU of all processes per 1M points", ours.cpu_s, "s", at_most=2.0)


@pytest.mark.parametrize("peer", PEERS)
def test_a_million_points_beside_another_tracker(
    peer: str, tmp_path: Path, figures: Figures, request: pytest.FixtureRequest
) -> None:
    name, cpu = "1M points until read elsewhere", "CPU of all processes per 1M points"
    title, rounds = PEERS[peer]
    python = request.config.getoption("--peers", default=None)
    if python is None:
        figures.skip(name, against=title, reason="scripts/bench --peers installs it")
        return
    ours, theirs = in_turns(tmp_path, peer, peer_python=python, rounds=rounds)
    figures.record(
        name, ours.points_per_s, "points/s", against=title, theirs=theirs.points_per_s, at_least=6.0
    )
    figures.record(cpu, ours.cpu_s, "s", against=title, theirs=theirs.cpu_s)
