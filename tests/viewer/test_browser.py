"""The viewer in a real Chromium: what is drawn is checked in the pixels of the canvas, every wait is for an event."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from kohakuboard import Board
from kohakuboard.reader import open_run
from kohakuboard_viewer import present

from .conftest import served

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POINTS = 1_000_000
SPIKE = 612_345
SPIKE_HEIGHT = 9.0

# Counts the blue pixels within `reach` canvas pixels of a step, between two values of y.
BLUE_PIXELS = """(chart, [step, low, high, reach]) => {
    const plot = chart.uplot
    const x = Math.round(plot.valToPos(step, "x", true))
    const [top, bottom] = [high, low].map((value) => Math.round(plot.valToPos(value, "y", true)))
    const copy = new OffscreenCanvas(2 * reach + 1, Math.max(bottom - top, 1))
    const context = copy.getContext("2d", { willReadFrequently: true })
    context.drawImage(plot.ctx.canvas, reach - x, -top)
    const { data } = context.getImageData(0, 0, copy.width, copy.height)
    let count = 0
    for (let i = 0; i < data.length; i += 4) count += data[i + 3] > 40 && data[i + 2] - data[i] > 40 ? 1 : 0
    return count
}"""

# Counts the red pixels along the x axis.
RED_PIXELS = """(chart) => {
    const { ctx, bbox } = chart.uplot
    const context = new OffscreenCanvas(bbox.width, 1).getContext("2d", { willReadFrequently: true })
    context.drawImage(ctx.canvas, -bbox.left, 3 - bbox.top - bbox.height)
    const { data } = context.getImageData(0, 0, bbox.width, 1)
    return data.filter((value, i) => i % 4 === 0 && value - data[i + 2] > 80).length
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a few runs that no test changes, by their names."""
    root = tmp_path_factory.mktemp("browser") / "runs"
    random = np.random.default_rng(0)

    def train(board: Board) -> None:
        for step in range(3000):
            value = 2 * math.exp(-step / 800) + random.normal() * 0.05
            board.log(step=step, **{"train/loss": value, "train/acc": 1 - value / 3, "lr": 1e-3})
            if step % 300 == 299:
                board.log(step=step, **{"val/loss": value + 0.1})

    def diverge(board: Board) -> None:
        for step in range(100):
            board.log(step=step, loss=math.nan if step < 5 or 50 <= step < 60 else 1 + step / 100)

    def million(board: Board) -> None:
        signal = random.normal(size=POINTS) * 0.3
        signal[SPIKE] = SPIKE_HEIGHT
        for value in signal.tolist():
            board.log(signal=value)

    def write(name: str, log: Callable[[Board], None], project: str, error: str | None = None) -> Path:
        board = Board(
            name,
            project=project,
            base_dir=root,
            config={"optimizer": {"lr": 1e-3}},
            tags=[f"tag-{name}"],
            capture_output=False,
        )
        log(board)
        board.finish("failed" if error else "finished", error=error)
        return board.path

    return {
        "training": write("training", train, "vision"),
        "diverged": write("diverged", diverge, "vision", error="Traceback …\nValueError: loss is NaN"),
        "million": write("million", million, "signals"),
    }


@pytest.fixture(scope="module")
def address(runs: dict[str, Path]) -> Iterator[str]:
    with served(runs["training"].parents[1]) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return what opens a page of the viewer; what the console then complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(where: str | Path, query: str = "", *, at: str = address, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(at + (where if isinstance(where, str) else path_of(where)) + query)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def path_of(run: Path) -> str:
    return f"/run/{run.parent.name}/{run.name}/charts"


def chart(page: Page, metric: str) -> Locator:
    """Return a chart, in view and drawn."""
    found = page.locator(f"kobo-chart[data-key='{metric}']")
    found.scroll_into_view_if_needed()
    expect(found).to_have_attribute("data-state", "ready")
    return found


def x_values(drawn: Locator) -> list[float]:
    values: list[float] = drawn.evaluate("chart => [...chart.uplot.data[0]]")
    return values


def drag(page: Page, drawn: Locator, lo: float, hi: float) -> None:
    """Drag with the mouse over a chart from one x to another."""
    box = drawn.locator(".u-over").bounding_box()
    assert box is not None
    ends = [box["x"] + drawn.evaluate("(chart, x) => chart.uplot.valToPos(x, 'x')", x) for x in (lo, hi)]
    page.mouse.move(ends[0], box["y"] + 60)
    page.mouse.down()
    page.mouse.move((ends[0] + ends[1]) / 2, box["y"] + 60)
    page.mouse.move(ends[1], box["y"] + 60)
    page.mouse.up()


def zoom(page: Page, drawn: Locator, lo: float, hi: float) -> None:
    with page.expect_response(lambda response: "lo=" in response.url):
        drag(page, drawn, lo, hi)
    expect(drawn).to_have_attribute("data-state", "ready")


def names(page: Page) -> Locator:
    return page.locator(".run-cell a")


def test_the_list_leads_to_a_run(open_page: Callable[..., Page]) -> None:
    page = open_page("/runs")
    expect(names(page)).to_have_text(["million", "diverged", "training"])
    names(page).filter(has_text="training").click()
    expect(page.locator("h1")).to_have_text("training")
    expect(page.locator(".status").first).to_have_text("finished")


def test_the_list_is_filtered_while_typing_and_the_url_keeps_it(open_page: Callable[..., Page]) -> None:
    page = open_page("/runs")
    page.keyboard.press("/")
    page.keyboard.type("vision fail")
    expect(names(page)).to_have_text(["diverged"])
    expect(page).to_have_url(re.compile(r"\?q=vision\+fail$"))
    page.reload()
    expect(names(page)).to_have_text(["diverged"])
    page.locator("#filter input").fill("")
    expect(names(page)).to_have_count(3)


def test_charts_are_drawn_when_they_come_into_view(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page(runs["training"])
    for metric, middle in (("train/loss", 0.6), ("val/loss", 0.7)):
        drawn = chart(page, metric)
        assert drawn.evaluate(BLUE_PIXELS, [1500, 0, 2 * middle, 30]) > 30
    page.locator("summary", has_text="val").click()
    expect(page.locator("kobo-chart[data-key='val/loss']")).to_be_hidden()


def test_a_drag_zooms_all_charts_and_fetches_the_window_exactly(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page(runs["training"])
    drawn = chart(page, "train/loss")
    assert drawn.evaluate("chart => chart.uplot.data[0].length") < 2000
    zoom(page, drawn, 1000, 1100)
    steps = x_values(drawn)
    assert steps == list(range(int(steps[0]), int(steps[-1]) + 1))
    assert 990 < steps[0] < steps[-1] < 1110
    stored = open_run(runs["training"]).series("train/loss").value[int(steps[0]) : int(steps[-1]) + 1]
    assert drawn.evaluate("chart => [...chart.uplot.data[1]]") == stored.tolist()
    assert x_values(chart(page, "train/acc")) == steps

    expect(page).to_have_url(re.compile("lo="))
    query = page.url
    page.reload()
    assert page.url == query
    assert x_values(chart(page, "train/loss")) == steps

    chart(page, "train/loss").locator(".u-over").dblclick()
    expect(page).not_to_have_url(re.compile("lo="))
    expect(page.get_by_role("button", name="Reset zoom")).to_be_disabled()
    expect(drawn).to_have_attribute("data-state", "ready")
    assert x_values(drawn)[-1] == 2999


@pytest.mark.parametrize("axis", ["index", "relative", "wall"])
def test_the_x_axis_is_chosen_and_kept_in_the_url(
    open_page: Callable[..., Page], runs: dict[str, Path], axis: str
) -> None:
    page = open_page(runs["training"], "?lo=100&hi=200")
    drawn = chart(page, "train/loss")
    label = {"index": "Index", "relative": "Relative", "wall": "Wall time"}[axis]
    with page.expect_response(
        lambda response: f"x={axis}" in response.url and "metric=train%2Floss" in response.url
    ):
        page.get_by_label(label).check()
    expect(drawn).to_have_attribute("data-state", "ready")
    expect(page).to_have_url(re.compile(rf"\?x={axis}$"))
    stored = open_run(runs["training"])
    times = stored.series("train/loss").time.astype(np.int64) / 1e6
    last = {"index": 2999, "relative": times[-1] - stored.started.timestamp(), "wall": times[-1]}[axis]
    assert x_values(drawn)[-1] == pytest.approx(last, abs=1e-5)


def test_smoothing_draws_a_calm_line_over_the_faint_raw_one(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page(runs["training"])
    drawn = chart(page, "train/loss")
    with page.expect_response(lambda response: "smooth=0.9" in response.url):
        page.get_by_label("Smoothing").fill("0.9")
    expect(drawn).to_have_attribute("data-state", "ready")
    expect(page).to_have_url(re.compile("smooth=0.9"))
    raw, smooth = drawn.evaluate("chart => chart.uplot.data.slice(1).map((line) => [...line])")
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(raw)).mean()


def test_a_logarithmic_y_axis(open_page: Callable[..., Page], runs: dict[str, Path]) -> None:
    page = open_page(runs["training"])
    page.get_by_label("Log y").check()
    drawn = chart(page, "train/loss")
    expect(page).to_have_url(re.compile("log=1"))
    assert drawn.evaluate("chart => chart.uplot.scales.y.distr") == 3
    assert drawn.evaluate(BLUE_PIXELS, [1500, 0.1, 1.2, 30]) > 30


def test_a_spike_of_one_step_in_a_million_is_visible_at_every_zoom(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page(runs["million"])
    drawn = chart(page, "signal")
    for half in (None, 200_000, 30_000, 2000, 100, 10):
        if half is not None:
            zoom(page, drawn, SPIKE - half, SPIKE + half)
        for low, high in ((7.0, 8.5), (4.0, 6.0)):
            height = drawn.evaluate(
                "(chart, [low, high]) => chart.uplot.valToPos(low, 'y', true) - chart.uplot.valToPos(high, 'y', true)",
                [low, high],
            )
            reach = 2 if half is None or half > 1000 else 40
            assert drawn.evaluate(BLUE_PIXELS, [SPIKE, low, high, reach]) >= 0.9 * height, (half, low)
    assert SPIKE_HEIGHT in drawn.evaluate("chart => [...chart.uplot.data[1]]")


def test_the_cursor_says_what_is_under_it_in_all_charts(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page(runs["training"], "?lo=1000&hi=1100")
    loss, acc = chart(page, "train/loss"), chart(page, "train/acc")
    last = loss.locator("output").inner_text()
    box = loss.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + loss.evaluate("chart => chart.uplot.valToPos(1050, 'x')"), box["y"] + 50)
    value = open_run(runs["training"]).series("train/loss").value[1050]
    for drawn in (loss, acc):
        expect(drawn.locator(".detail")).to_have_text("step 1\u202f050")
    expect(loss.locator("output")).to_have_text(present.number(float(value)))
    page.mouse.move(0, 0)
    expect(loss.locator("output")).to_have_text(last)


def test_nan_neither_blanks_the_line_nor_goes_unseen(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    """uPlot blanks a line that begins with NaN; this one does, and has a stretch of NaN in its middle."""
    page = open_page(runs["diverged"])
    drawn = chart(page, "loss")
    assert drawn.evaluate(BLUE_PIXELS, [30, 1, 2, 20]) > 20
    assert drawn.evaluate("chart => [...chart.uplot.data[1]].filter((value) => value === null).length") == 15
    assert drawn.evaluate(RED_PIXELS) > 20
    expect(page.locator(".reason")).to_have_text("ValueError: loss is NaN")


def test_a_live_run_grows_on_the_page_and_then_ends(open_page: Callable[..., Page], root: Path) -> None:
    board = Board("live", base_dir=root, capture_output=False)
    board.log(step=0, loss=5.0)
    with served(root) as address:
        page = open_page(board.path, at=address)
        drawn = chart(page, "loss")
        expect(drawn.locator("output")).to_have_text("5")
        for step in range(1, 101):
            board.log(step=step, loss=5.0 - step / 100)
        expect(drawn.locator("output")).to_have_text("4")
        expect(page.locator("dl.facts")).to_contain_text("100")
        expect(drawn).to_have_attribute("data-state", "ready")
        board.log(step=101, **{"late/metric": 1.0})
        chart(page, "late/metric")
        assert x_values(drawn)[-1] == 100
        board.finish()
        expect(page.locator(".run-head .status")).to_have_text("finished")
        page.goto("about:blank")


def test_new_runs_appear_in_the_list(open_page: Callable[..., Page], root: Path) -> None:
    root.mkdir()
    with served(root) as address:
        page = open_page("/runs", at=address)
        expect(page.get_by_text("No runs here yet")).to_be_visible()
        board = Board("newcomer", base_dir=root, capture_output=False)
        expect(names(page)).to_have_text(["newcomer"])
        board.finish()
        expect(page.locator(".status")).to_have_text("finished")
        page.goto("about:blank")


def test_a_hidden_tab_asks_nothing(open_page: Callable[..., Page], root: Path) -> None:
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true })
        document.dispatchEvent(new Event("visibilitychange"))
    }"""
    board = Board("live", base_dir=root, capture_output=False)
    with served(root) as address:
        page = open_page(board.path, at=address)
        with page.expect_response(re.compile("/version")):
            page.clock.install()
        page.evaluate(hide, True)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        board.finish()
        page.clock.run_for(60_000)
        assert asked == []
        page.evaluate(hide, False)
        expect(page.locator(".run-head .status")).to_have_text("finished")
        assert asked != []
        page.goto("about:blank")


def luminance(page: Page) -> float:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3


def test_the_theme_follows_the_system_until_it_is_chosen(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page(runs["training"], color_scheme="dark")
    drawn = chart(page, "train/loss")
    line = "chart => chart.uplot.series[1].stroke(chart.uplot, 1)"
    dark = drawn.evaluate(line)
    assert luminance(page) < 40
    page.locator("#theme").click()
    assert luminance(page) > 220
    assert drawn.evaluate(line) != dark
    page.reload()
    assert luminance(page) > 220
    page.locator("#theme").click()
    page.emulate_media(color_scheme="light")
    assert luminance(page) > 220
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize("where", ["/", "/runs", "training", "diverged", "/p/vision"])
def test_a_phone_needs_no_sideways_scrolling(
    open_page: Callable[..., Page], runs: dict[str, Path], where: str
) -> None:
    page = open_page(
        runs.get(where, where), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    if where in runs:
        expect(page.locator("kobo-chart").first).to_have_attribute("data-state", "ready")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_pages_are_useful_without_script(open_page: Callable[..., Page], runs: dict[str, Path]) -> None:
    page = open_page("/runs", java_script_enabled=False)
    page.get_by_label("Filter runs").fill("vision fail")
    page.get_by_role("button", name="Filter").click()
    expect(names(page)).to_have_text(["diverged"])
    names(page).click()
    expect(page.locator(".spark img")).to_be_visible()
    page.get_by_role("link", name="Charts").click()
    expect(page.locator("kobo-chart noscript img, kobo-chart img")).to_be_visible()
    expect(page.locator("#theme")).to_be_hidden()
    expect(page.locator("#view")).to_be_hidden()


def test_scripts_write_numbers_as_pages_do(open_page: Callable[..., Page]) -> None:
    values = [
        0,
        7,
        -3,
        1234567,
        0.1 + 0.2,
        51558.23,
        1234567.8,
        1.5421e-10,
        2e300,
        -0.00012345678,
        999999.5,
        12e8,
    ]
    page = open_page("/runs")
    shown = page.evaluate(
        "async (values) => { const { number } = await import('/static/format.js'); return values.map(number) }",
        values,
    )
    assert shown == [present.number(float(value)) for value in values]


def test_an_error_of_the_server_is_told_in_the_chart(
    open_page: Callable[..., Page], runs: dict[str, Path]
) -> None:
    page = open_page("/")
    page.route("**/series?*", lambda route: route.fulfill(status=200, body=json.dumps({"error": "x"})))
    page.goto(page.url.rstrip("/") + path_of(runs["training"]))
    expect(page.locator("kobo-chart .failure").first).to_have_text("the server sent no columns")


def test_one_finger_zooms(open_page: Callable[..., Page], runs: dict[str, Path]) -> None:
    page = open_page(runs["training"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    drawn = chart(page, "train/loss")
    box = drawn.locator(".u-over").bounding_box()
    assert box is not None
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *x: float) -> None:
        points = [{"x": box["x"] + along, "y": box["y"] + 80} for along in x]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    with page.expect_response(lambda response: "lo=" in response.url):
        touch("touchStart", 60)
        for along in range(70, 161, 10):
            touch("touchMove", along)
        touch("touchEnd")
    expect(drawn).to_have_attribute("data-state", "ready")
    lo, hi = drawn.evaluate("({ uplot: { scales: { x } } }) => [x.min, x.max]")
    assert 300 < lo < 1000 < hi < 2000
    page.get_by_role("button", name="Reset zoom").click()
    expect(page).not_to_have_url(re.compile("lo="))
