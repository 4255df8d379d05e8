"""How much memory the server has come to after an hour of somebody who looks at everything: `--minutes 60`.

Whoever reads opens a page about every five seconds, and with each come the pictures on it and its curves: twelve pages
a minute, each with what it links to as `src` and four windows of charts. Here they come as fast as they are answered.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
from html import unescape
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

from kohakuboard import Board, Histogram, Media, Table, Text
from tests.benchmarks.figures import Figures
from tests.benchmarks.processes import memory_mb
from tests.benchmarks.recorded import STARTED_S, record
from tests.benchmarks.served import server
from tests.benchmarks.test_viewer_runs import copies, template

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(0),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]

MINUTES = 5.0
PAGES_A_MINUTE, PICTURES, WINDOWS = 12, 8, 4
RUNS, METRICS, STEPS, RICH_STEPS = 5, 10, 100_000, 300
# What all caches may hold by their own limits, beside 2 GB of curves, and the program itself: see docs/architecture.md.
LIMIT_MB = 3700


def much(root: Path) -> None:
    """Make runs with long curves, one with rich values, and a list of many short ones."""
    chance = np.random.default_rng(0)
    times = np.asarray(STARTED_S + np.arange(STEPS) * 0.1, dtype=np.float64)
    names = [f"train/metric_{i}" for i in range(METRICS)]
    for i in range(RUNS):
        values = chance.normal(size=(STEPS, METRICS)).cumsum(axis=0)
        record(root / "long" / f"run-{i}", names, values, times)
    with Board("rich", base_dir=root, project="rich", run_id="rich", capture_output=False) as board:
        for step in range(RICH_STEPS):
            image = chance.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            rich = {"weights": Histogram(chance.normal(size=1000)), "image": Media(image)}
            board.log({**rich, "note": Text(f"step {step}")}, step=step)
        board.log({"rows": Table({"x": chance.normal(size=50_000)})})
    copies(template(root.parent / "template"), root, 300)


class Reader:
    """Go from page to page by their links, as they come."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._chance = random.Random(0)
        self._links = ["/"]
        self.requests = 0

    def look(self) -> None:
        """Open a page, and all that comes with it."""
        url = "/" if self._chance.random() < 0.1 else self._chance.choice(self._links)
        page = self._get(url).decode("utf-8", "replace")
        there = url.partition("?")[0]
        found = re.findall(r'<a [^>]*href="([^"]+)"', page)
        links = [there + unescape(link) if link.startswith("?") else unescape(link) for link in found]
        self._links = [link for link in links if link.startswith("/") and not link.startswith("//")] or ["/"]
        pictures = [unescape(each) for each in re.findall(r'<img [^>]*src="(/[^"]+)"', page)]
        for picture in self._chance.sample(pictures, min(PICTURES, len(pictures))):
            self._get(picture)
        for _ in range(WINDOWS):
            run, metric = self._chance.randrange(RUNS), self._chance.randrange(METRICS)
            low = self._chance.randrange(STEPS - 1000)
            high = low + self._chance.randrange(1000, STEPS)
            self._get(f"/run/long/run-{run}/series?metric=train/metric_{metric}&lo={low}&hi={high}&width=900")

    def _get(self, url: str) -> bytes:
        self._connection.request("GET", url.partition("#")[0].replace(" ", "%20"))
        answer = self._connection.getresponse()
        assert answer.status < 500, (answer.status, url)
        self.requests += 1
        return answer.read()


def test_an_hour_of_browsing(tmp_path: Path, figures: Figures, request: pytest.FixtureRequest) -> None:
    minutes: float = request.config.getoption("--minutes", default=None) or MINUTES
    much(tmp_path / "runs")
    with server(tmp_path / "runs") as (process, connection):
        reader, looks = Reader(connection), []
        reader.look()
        first = memory_mb(process.pid)
        for _ in range(int(minutes * PAGES_A_MINUTE)):
            reader.look()
            looks.append(memory_mb(process.pid))
    quarter = max(len(looks) // 4, 1)
    half = statistics.median(looks[quarter : 2 * quarter])
    figures.record(f"server after {minutes:g} min of browsing: {reader.requests} requests", looks[-1], "MB")
    figures.record("… before", first, "MB")
    figures.record("… most", max(looks), "MB", at_most=LIMIT_MB)
    last = statistics.median(looks[-quarter:])
    figures.record("… at the end", last, "MB", against="in the second quarter", theirs=half, at_most=1.5)
