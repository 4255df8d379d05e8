"""How long charts take: what the server answers, and what Chromium draws, of a million points in one run and in 100.

Times of the server are those of the whole application, called in this process; `CPU` is what that cost it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard.reader import open_run
from kohakuboard.storage.digest import write_digest
from kohakuboard_viewer.app import create_app
from tests.benchmarks.figures import Figures
from tests.benchmarks.recorded import Recording, jittered_times, record, recording
from tests.benchmarks.served import server
from tests.viewer.conftest import served

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

POINTS, RUNS = 1_000_000, 100
CONFIGURATIONS, SEEDS, STEPS = 50, 10, 1000
METRICS = 1000
ROUNDS = 15
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
# A new page has Chromium start a process to spare, 0.4 s of processor time that no page is waited for.
SETTLED_MS = 1500
PEERS = ("trackio", "tensorboardx")
PEER_POINTS = 100_000

# Sets the window and waits until the chart shows it; returns the time between in ms.
VIEWPORT: ViewportSize = {"width": 1400, "height": 900}
ZOOM = """async ([lo, hi]) => {
    const { view } = await import(document.querySelector('[href$="/view.js"]').href)
    const chart = document.querySelector("kobo-chart")
    const began = performance.now()
    const drawn = new Promise((done) => new MutationObserver((_, observer) => {
        if (chart.dataset.state !== "ready") return
        observer.disconnect()
        requestAnimationFrame(() => done(performance.now() - began))
    }).observe(chart, { attributeFilter: ["data-state"] }))
    view.set({ lo, hi })
    return drawn
}"""
SHOW = "(source) => { document.querySelector('kobo-chart').dataset.src = source }"
# Told by the chart, and not asked for at every frame: that alone makes frames, each of them laid out and painted anew.
FIRST_DRAWN = """() => new Promise((done) => {
    const isDrawn = () => document.querySelector("kobo-chart[data-state=ready] canvas") !== null
    const observer = new MutationObserver(() => {
        if (!isDrawn()) return
        observer.disconnect()
        requestAnimationFrame(() => done(performance.now()))
    })
    if (isDrawn()) return done(performance.now())
    observer.observe(document, { subtree: true, attributeFilter: ["data-state"] })
})"""


def copied(run: Path, number: int, **row: Any) -> None:
    """Copy a run under another id, and with other values in the row that says what it is."""
    copy = shutil.copytree(run, run.parent / f"{run.name}-{number:03d}")
    connection = sqlite3.connect(copy / "run.db")
    connection.execute("PRAGMA synchronous = OFF")
    with connection:
        for name, value in {"run_id": copy.name, **row}.items():
            connection.execute(f"UPDATE run SET {name} = ?", [value])
    write_digest(copy / "run.db", connection)
    connection.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with 100 runs of 1M points each."""
    root = tmp_path_factory.mktemp("charts")
    noise = np.random.default_rng(0).normal(size=POINTS)
    values = np.exp(-np.arange(POINTS) / (POINTS / 4)) + noise * 0.1
    record(root / "p" / "run", ["loss"], values[:, None], jittered_times(POINTS))
    for number in range(1, RUNS):
        copied(root / "p" / "run", number)
    return root


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(root)) as client:
        yield client


def timed(ask: Callable[[int], Any], rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median time and the median CPU time of a call, in ms."""
    found = []
    for i in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        ask(i)
        found.append((time.perf_counter() - began, time.process_time() - cpu))
    wall, cpu = (statistics.median(each) * 1e3 for each in zip(*found, strict=True))
    return wall, cpu


def series(client: TestClient, **query: Any) -> Callable[[int], None]:
    """Return what asks for a window that is another at each call, so that nothing but the curves is kept."""

    def ask(i: int) -> None:
        window = {"lo": POINTS // 4 + i, "hi": POINTS * 3 // 4 + i}
        assert (
            client.get("/series", params={"metric": "loss", "width": 700, **window, **query}).status_code
            == 200
        )

    return ask


def test_requests_for_charts(client: TestClient, root: Path, figures: Figures) -> None:
    runs = sorted(f"p/{path.name}" for path in (root / "p").iterdir())
    series(client, run=runs[1])(0)  # what is imported, and made once
    colds = [timed(series(client, run=run), 1)[0] for run in runs[2:9]]
    figures.record("chart of 1 run x 1M points, cold", statistics.median(colds), "ms", at_most=60)
    wall, cpu = timed(series(client, run=runs[1]))
    figures.record("chart of 1 run x 1M points, warm", wall, "ms", at_most=10)
    figures.record("chart of 1 run x 1M points, warm, CPU", cpu, "ms", at_most=10)
    timed(series(client, run=runs), 1)
    wall, cpu = timed(series(client, run=runs))
    figures.record("chart of 100 runs x 1M points, warm", wall, "ms", at_most=25)
    figures.record("chart of 100 runs x 1M points, warm, CPU", cpu, "ms", at_most=25)


def until_stored(recorded: Recording, points: int) -> None:
    """Wait until the writer has stored about as many points of a recorded run."""
    run, deadline = open_run(recorded.run), time.monotonic() + 60
    while sum(run._committed().values()) < points:
        assert time.monotonic() < deadline, "the writer does not store what is logged"
        time.sleep(0.1)
        run.refresh()


def test_a_chart_of_a_live_run(tmp_path: Path, figures: Figures) -> None:
    """Requests for all points: with one more than the last had, with none, and the first of them against an axis."""
    values = np.random.default_rng(0).normal(size=POINTS).tolist()
    with recording(tmp_path / "p" / "run") as recorded:
        for step, (value, time_s) in enumerate(zip(values, jittered_times(POINTS).tolist(), strict=True)):
            recorded.log(step, {"loss": value}, time_s)
        until_stored(recorded, POINTS)
        steps = iter(range(POINTS, 2 * POINTS))

        def ask(client: TestClient, *, more: bool = False, x: str = "step") -> float:
            """Return the CPU time of a request in ms."""
            if more:
                recorded.log(step := next(steps), {"loss": 0.5}, time_s + (step - POINTS) * 0.01)
            cpu = time.process_time()
            client.get(f"/series?run=p/run&metric=loss&width=700&x={x}").raise_for_status()
            return (time.process_time() - cpu) * 1e3

        colds, warms, news = [], [], []
        for _ in range(5):
            with TestClient(create_app(tmp_path)) as client:
                ask(client)  # the run is opened
                colds.append(ask(client, x="index"))
                ask(client, more=True)  # and room is made for what will come
                for _ in range(ROUNDS):
                    warms.append(ask(client))
                    news.append(ask(client, more=True))
    name = "chart of a live run of 1M points after one more, CPU"
    figures.record(name, min(news), "ms", against="the same without one", theirs=min(warms), at_most=3)
    figures.record(name, min(news), "ms", against="the same, cold", theirs=min(colds), at_most=0.2)


def test_zooms_in_a_browser(root: Path, chromium: str, figures: Figures) -> None:
    runs = "&".join(f"run=p/{path.name}" for path in sorted((root / "p").iterdir()))
    with served(root) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name, source in (("1 run", "run=p/run"), ("100 runs", runs)):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{address}/run/p/run/charts")
            page.evaluate(FIRST_DRAWN)
            page.evaluate(SHOW, f"/series?metric=loss&{source}")
            if name != "1 run":
                page.locator(".legend").wait_for(timeout=300_000)
            page.evaluate(ZOOM, [1000, POINTS - 1000])
            times = [page.evaluate(ZOOM, [POINTS // 4 + i, POINTS * 3 // 4 + i]) for i in range(ROUNDS)]
            figures.record(f"zoom to drawn, {name} x 1M points", statistics.median(times), "ms", at_most=60)
            page.close()
        browser.close()


def test_seeds_grouped(tmp_path: Path, figures: Figures) -> None:
    with Board("seeds", project="p", base_dir=tmp_path, capture_output=False) as board:
        for step in range(STEPS):
            board.log(step=step, loss=step**0.5)
    for number in range(1, CONFIGURATIONS * SEEDS):
        copied(board.path, number, group_name=f"lr {number % CONFIGURATIONS}")
    with TestClient(create_app(tmp_path)) as client:
        query = {"project": "p", "metric": "loss", "by": "group", "band": "ci", "width": 700}

        def ask(_: int) -> None:
            client.get("/series", params=query).raise_for_status()

        figures.record("50 configurations x 10 seeds grouped, cold", timed(ask, 1)[0] / 1e3, "s", at_most=1)
        wall, cpu = timed(ask, 5)
        figures.record("50 configurations x 10 seeds grouped, warm", wall / 1e3, "s", at_most=1)
        figures.record("50 configurations x 10 seeds grouped, warm, CPU", cpu / 1e3, "s", at_most=1)


def test_a_page_of_a_thousand_metrics(tmp_path: Path, chromium: str, figures: Figures) -> None:
    with Board("many", project="p", base_dir=tmp_path, capture_output=False) as board:
        for step in range(300):
            board.log(step=step, **{f"layer{i // 50}/m{i}": float(i + step) for i in range(METRICS)})
    with TestClient(create_app(tmp_path)) as client:
        url = f"/run/p/{board.path.name}/charts"
        client.get(url)
        wall, cpu = timed(lambda _: client.get(url))
        figures.record("page of 1000 metrics, whole", wall, "ms", at_most=50)
        figures.record("page of 1000 metrics, whole, CPU", cpu, "ms", at_most=50)
    # A server of its own, as people have it: one in this process and what drives the browser would wait for each other.
    with server(tmp_path) as (_, connection), sync_playwright() as playwright:
        address = f"http://{connection.host}:{connection.port}"
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)

        def first_drawn(context: BrowserContext) -> float:
            page = context.new_page()
            page.wait_for_timeout(SETTLED_MS)
            page.goto(address + url, wait_until="commit")
            took: float = page.evaluate(FIRST_DRAWN)
            page.close()
            return took

        new = [first_drawn(browser.new_context(viewport=VIEWPORT)) for _ in range(ROUNDS)]
        known = browser.new_context(viewport=VIEWPORT)
        first_drawn(known)
        again = [first_drawn(known) for _ in range(ROUNDS)]
        browser.close()
    name = "page of 1000 metrics, first chart drawn"
    figures.record(name, statistics.median(new), "ms", at_most=400)
    figures.record(f"{name}, in a browser that was here", statistics.median(again), "ms", at_most=400)


def visible_after(page: Page, board: Board, step: int) -> float:
    """Return the seconds from logging a point until its chart shows it."""
    began = time.perf_counter()
    board.log(step=step, loss=float(step))
    page.wait_for_function(
        "(step) => document.querySelector('kobo-chart')?.uplot?.data[0].at(-1) === step", arg=step
    )
    return time.perf_counter() - began


def test_a_live_page(tmp_path: Path, chromium: str, figures: Figures) -> None:
    board = Board("live", project="p", base_dir=tmp_path, capture_output=False)
    for step in range(100):
        board.log(step=step, loss=float(step))
    url = f"/run/p/{board.path.name}"
    with served(tmp_path) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{address}{url}/charts")
        page.evaluate(FIRST_DRAWN)
        times = [visible_after(page, board, step) for step in range(100, 109)]
        browser.close()
    board.finish()
    figures.record("a point logged until it is visible", statistics.median(times), "s", at_most=2)


def chart_ms(python: str, name: str, directory: Path) -> float:
    """Return what a chart takes in one tracker."""
    command = [python, "-m", "tests.benchmarks.peers.chart", name, str(directory / name), str(PEER_POINTS)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found: float = json.loads(run.stdout.splitlines()[-1])["chart_ms"]
    return found


@pytest.mark.parametrize("peer", PEERS)
def test_the_same_chart_elsewhere(
    tmp_path: Path, figures: Figures, pytestconfig: pytest.Config, peer: str
) -> None:
    name = f"chart of {PEER_POINTS // 1000}k points, warm"
    python = pytestconfig.getoption("--peers", default=None)
    if python is None:
        figures.skip(name, against=peer, reason="scripts/bench --peers installs it")
        return
    ours = chart_ms(sys.executable, "kohakuboard", tmp_path)
    theirs = chart_ms(python, peer, tmp_path)
    figures.record(name, ours, "ms", against=peer, theirs=theirs, at_most=0.1)
