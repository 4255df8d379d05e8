"""What a page that is left open costs the server: processor time of `kobo open`, and bytes, for each time it asks.

Polls come over one kept connection, as a browser's do. A run's page asks for that run alone, so that its polls may come
one behind the other. That of a list is asked as often as pages ask, too, since the server looks at a part of the runs
that have ended each time, and how large a part is a matter of time; what it takes while nobody asks is beside it.
"""

from __future__ import annotations

import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from kohakuboard import Board
from tests.benchmarks.figures import Figures
from tests.benchmarks.processes import cpu_s
from tests.benchmarks.served import server
from tests.benchmarks.test_viewer_runs import RUNS, copies, template

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc"),
]

POLLS, INTERVAL_S, LIST_POLLS = 2000, 2.0, 30
METRICS, STEPS = 20, 1000
# What a browser says of itself and of what it has, about.
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
}


def ask(connection: HTTPConnection, path: str, etag: str | None) -> tuple[str, int]:
    """Ask whether anything is new; return the answer's ETag and how many bytes it has."""
    connection.request("GET", path, headers={**HEADERS, **({"If-None-Match": etag} if etag else {})})
    answer = connection.getresponse()
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders())
    size = len(f"HTTP/1.1 {answer.status} {answer.reason}\r\n{head}\r\n") + len(answer.read())
    assert answer.status == (200 if etag is None else 304), (answer.status, path)
    return answer.headers["ETag"], size


def cost(pid: int, connection: HTTPConnection, path: str, polls: int, pause_s: float) -> tuple[float, int]:
    """Return the server's processor time for each poll that finds nothing new, in s, and the bytes of its answer."""
    etag, size = ask(connection, path, None)
    for _ in range(3):
        etag, size = ask(connection, path, etag)
    before = cpu_s(pid)
    for _ in range(polls):
        time.sleep(pause_s)
        ask(connection, path, etag)
    return (cpu_s(pid) - before) / polls, size


def test_a_page_of_a_live_run_that_is_left_open(tmp_path: Path, figures: Figures) -> None:
    with Board("live", base_dir=tmp_path, capture_output=False, system_metrics_every_s=0) as board:
        for step in range(STEPS):
            board.log({f"metric_{i}": float(step) for i in range(METRICS)})
        time.sleep(15)  # until all of it is committed
        path = f"/run/{quote(board.path.parent.name)}/{quote(board.path.name)}/version?tab=charts"
        with server(tmp_path) as (process, connection):
            found, size = cost(process.pid, connection, path, POLLS, 0)
    figures.record("an idle live page: processor time a poll", found * 1000, "ms", at_most=2.0)
    figures.record("… bytes of the answer", size, "B", at_most=1024)


def test_a_list_of_ten_thousand_runs_that_is_left_open(tmp_path: Path, figures: Figures) -> None:
    copies(template(tmp_path / "template"), tmp_path / "runs")
    time.sleep(4)  # what changed a moment ago is looked at closely
    with server(tmp_path / "runs") as (process, connection):
        at_once, size = cost(process.pid, connection, "/version", POLLS // 4, 0)
        before = cpu_s(process.pid)
        time.sleep(LIST_POLLS * INTERVAL_S)
        at_rest = (cpu_s(process.pid) - before) / LIST_POLLS
        connection.close()  # the server has, of one that is silent for 5 s; the next request opens it
        found, _ = cost(process.pid, connection, "/version", LIST_POLLS, INTERVAL_S)
    name = f"an idle list of {RUNS} runs: processor time a poll"
    figures.record(f"{name}, each behind the last", at_once * 1000, "ms", at_most=2.0)
    figures.record(f"{name}, one in {INTERVAL_S:g} s", (found - at_rest) * 1000, "ms", at_most=2.0)
    figures.record(f"… and of the server in {INTERVAL_S:g} s, not asked", at_rest * 1000, "ms")
    figures.record("… bytes of the answer", size, "B", at_most=1024)
