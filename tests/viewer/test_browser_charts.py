"""Charts in a real Chromium: several curves, axes, ranges, keyboard, what is saved; every wait is for an event."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from kohakuboard import Board
from kohakuboard_viewer.smooth import WAYS, Smoothing, smoothed
from tests.benchmarks.recorded import jittered_times, record

from .conftest import served
from .test_browser import ARGUMENTS, BLUE_PIXELS

pytestmark = pytest.mark.browser

STEPS = 400
SPIKE_AT, SPIKE_HEIGHT, POINTS = 654_321, 9.0, 1_000_000


# Counts the painted pixels of a column between two values of y.
PAINTED_PIXELS = """(chart, [step, low, high]) => {
    const plot = chart.uplot
    const [top, bottom] = [high, low].map((value) => Math.round(plot.valToPos(value, "y", true)))
    const x = Math.round(plot.valToPos(step, "x", true))
    const context = new OffscreenCanvas(1, bottom - top).getContext("2d", { willReadFrequently: true })
    context.drawImage(plot.ctx.canvas, -x, -top)
    const { data } = context.getImageData(0, 0, 1, bottom - top)
    return data.filter((value, i) => i % 4 === 3 && value > 30).length
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


def train(board: Board, offset: float) -> None:
    noise = np.random.default_rng(int(offset)).normal(size=STEPS) * 0.05
    for step in range(STEPS):
        loss = 50.0 if step == 100 else offset + float(np.exp(-step / 100)) + noise[step]
        board.log(step=step, **{"train/loss": loss, "train/acc": 1 - loss / 100, "epoch": step / 40})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("charts") / "runs"
    found = []
    for i in range(2):
        # Their colours come from their ids, which so are always the same two.
        with Board(f"run-{i}", run_id=f"run-{i}", project="p", base_dir=root, capture_output=False) as board:
            train(board, float(i))
        found.append(board.path)
    return found


@pytest.fixture(scope="module")
def address(runs: list[Path]) -> Iterator[str]:
    with served(runs[0].parents[1]) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str, runs: list[Path]) -> Iterator[Callable[..., Page]]:
    """Return what opens the charts of the first run; what the console then complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(query: str = "", *, at: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((at or f"{address}/run/p/{runs[0].name}/charts") + query)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def chart(page: Page, key: str) -> Locator:
    found = page.locator(f"kobo-chart[data-key='{key}']")
    found.scroll_into_view_if_needed()
    expect(found).to_have_attribute("data-state", "ready")
    return found


def window(drawn: Locator) -> list[float]:
    ends: list[float] = drawn.evaluate("({ uplot: { scales: { x } } }) => [x.min, x.max]")
    return ends


def pictured(page: Page, name: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


def test_curves_of_several_runs_are_told_apart_and_read_at_the_cursor(
    open_page: Callable[..., Page], runs: list[Path], tmp_path: Path
) -> None:
    page = open_page("?lo=200&hi=260")
    drawn = chart(page, "train/loss")
    source = "/series?metric=train/loss&" + "&".join(f"run=p/{run.name}" for run in runs)
    drawn.evaluate("(chart, source) => { chart.dataset.src = source }", source)
    expect(drawn.locator(".legend li")).to_have_count(2)
    assert (
        len(
            set(
                drawn.evaluate(
                    "chart => chart.uplot.series.slice(1).map((line, i) => line.stroke(chart.uplot, i))"
                )
            )
        )
        == 2
    )
    box = drawn.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + drawn.evaluate("chart => chart.uplot.valToPos(230, 'x')"), box["y"] + 40)
    expect(drawn.locator(".detail")).to_have_text("step 230")
    values = [float(text) for text in drawn.locator(".legend .value").all_inner_texts()]
    assert values[1] - values[0] == pytest.approx(1, abs=0.5)
    pictured(page, "several", tmp_path / "pictures")


def test_any_metric_is_the_x_axis(open_page: Callable[..., Page]) -> None:
    page = open_page()
    chart(page, "train/loss")
    page.locator(".more-controls summary").click()
    with page.expect_response(re.compile("x=epoch")):
        page.get_by_label("X axis by").fill("epoch")
        page.keyboard.press("Enter")
    drawn = chart(page, "train/loss")
    assert window(drawn) == [0, pytest.approx((STEPS - 1) / 40)]
    expect(page).to_have_url(re.compile("x=epoch"))
    expect(page.locator(".more-controls summary")).to_have_text("By epoch")


def test_each_way_of_smoothing_is_asked_for_and_drawn(open_page: Callable[..., Page], tmp_path: Path) -> None:
    steps = np.arange(60) ** 2  # at uneven ones, EMA by x is another than EMA
    values = np.random.default_rng(0).normal(size=len(steps))
    with Board("noise", run_id="noise", project="p", base_dir=tmp_path, capture_output=False) as board:
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            board.log(step=step, loss=value)
    with served(tmp_path) as address:
        page = open_page("/run/p/noise/charts?smooth=0.8&way=mean", at=address)
        drawn = chart(page, "loss")
        curves = {}
        for way, words in zip(WAYS, ("EMA", "EMA by x", "Mean", "Gaussian"), strict=True):
            with page.expect_response(re.compile(f"smooth=0.8&way={way}")):
                page.get_by_label("How to average").select_option(words)
            expect(drawn).to_have_attribute("data-state", "ready")
            raw, curves[way] = drawn.evaluate("({ uplot }) => uplot.data.slice(1).map((line) => [...line])")
            assert raw == values.tolist()
            expected = smoothed(steps, values, Smoothing(way, 0.8))
            assert curves[way] == pytest.approx(expected.tolist(), abs=1e-9)
        assert len({tuple(np.round(curve, 3)) for curve in curves.values()}) == 4
        expect(page).to_have_url(re.compile("way=gauss"))
        page.reload()
        expect(page.get_by_label("How to average")).to_have_value("gauss")
        page.goto("about:blank")


def test_outliers_are_cut_off_and_marked(open_page: Callable[..., Page]) -> None:
    page = open_page("?clip=1")
    highest = "({ uplot }) => uplot.scales.y.max"
    assert chart(page, "train/loss").evaluate(highest) < 5
    page.locator(".more-controls summary").click()
    page.get_by_label("Cut off outliers").uncheck()
    page.get_by_label("Highest y").fill("20")
    page.keyboard.press("Tab")
    expect(page).to_have_url(re.compile("high=20$"))
    page.reload()
    drawn = chart(page, "train/loss")
    assert drawn.evaluate(highest) == 20
    assert drawn.evaluate(BLUE_PIXELS, [100, 19, 20, 4]) > 5


def test_earlier_attempts_are_drawn_on_demand(open_page: Callable[..., Page], tmp_path: Path) -> None:
    for at_step, end, loss in ((None, 20, 1.0), (9, 30, 2.0)):
        with Board(
            "again", run_id="again", project="p", base_dir=tmp_path, capture_output=False, at_step=at_step
        ) as board:
            for step in range(0 if at_step is None else at_step + 1, end):
                board.log(step=step, loss=loss)
    with served(tmp_path) as address:
        page = open_page("/run/p/again/charts", at=address)
        lines = "({ uplot }) => uplot.data.slice(1).map((line) => [...line].map((value) => value ?? 0))"
        assert chart(page, "loss").evaluate(lines) == [[1.0] * 10 + [2.0] * 20]
        page.locator(".more-controls summary").click()
        page.get_by_label("Earlier attempts").check()
        drawn = chart(page, "loss")
        assert drawn.evaluate(lines) == [[1.0] * 10 + [2.0] * 20, [1.0] * 20 + [0.0] * 10]
        expect(drawn.locator(".legend span:not(.value)")).to_have_text(["loss", "loss · attempt 1"])
        expect(page).to_have_url(re.compile("attempts=1"))
        page.get_by_label("Earlier attempts").uncheck()
        expect(drawn.locator(".legend")).to_have_count(0)
        page.goto("about:blank")


def test_a_chart_works_by_keyboard(open_page: Callable[..., Page]) -> None:
    page = open_page("?lo=100&hi=200", reduced_motion="reduce")
    drawn = chart(page, "train/loss")
    drawn.locator(".plot").focus()

    def press(key: str) -> list[float]:
        with page.expect_response(re.compile("/series")):
            page.keyboard.press(key)
        expect(drawn).to_have_attribute("data-state", "ready")
        return window(drawn)

    assert press("ArrowRight") == [120, 220]
    assert press("ArrowLeft") == [100, 200]
    assert press("ArrowUp") == [125, 175]
    assert press("ArrowDown") == [100, 200]
    page.keyboard.press("Shift+ArrowRight")
    expect(drawn.locator(".detail")).to_contain_text("step 1")
    assert press("Home") == [0, STEPS - 1]
    page.keyboard.press("f")
    expect(page.locator("kobo-chart:fullscreen")).to_have_count(1)
    page.keyboard.press("f")
    expect(page.locator("kobo-chart:fullscreen")).to_have_count(0)


def test_a_chart_is_saved_as_picture_drawing_and_text(open_page: Callable[..., Page]) -> None:
    page = open_page("?lo=10&hi=19")
    drawn = chart(page, "train/loss")
    saved = {}
    for form in ("PNG", "SVG", "CSV"):
        drawn.locator(".chart-menu summary").click()
        with page.expect_download() as download:
            drawn.get_by_role("button", name=f"Save as {form}").click()
        saved[form] = Path(download.value.path()).read_bytes()
    assert saved["PNG"].startswith(b"\x89PNG")
    assert saved["SVG"].startswith(b"<svg")
    assert len(saved["CSV"].splitlines()) == 11


def test_charts_are_pinned_together_and_a_link_keeps_them(open_page: Callable[..., Page]) -> None:
    page = open_page("?smooth=0.5")
    for metric, act in (("train/loss", "Pin"), ("train/acc", "Add to last pinned")):
        drawn = chart(page, metric)
        drawn.locator(".chart-menu summary").click()
        drawn.get_by_role("button", name=act, exact=True).click()
        expect(page.locator("#pinned kobo-chart")).to_have_count(1)
    expect(page.locator("#pinned h3")).to_have_text("train/loss, train/acc")
    expect(page.locator("#pinned .legend li")).to_have_count(2)
    page.reload()
    expect(page.locator("#pinned .legend li")).to_have_count(2)
    assert "smooth=0.5" in page.url
    page.locator("#pinned .chart-menu summary").click()
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator("#pinned kobo-chart")).to_have_count(0)


def test_a_pattern_finds_metrics(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("/^train.*acc$/")
    expect(page.locator("kobo-chart h3")).to_have_text(["acc"])
    page.locator("#filter input[type=search]").fill("/(/")
    expect(page.locator(".empty")).to_contain_text("no regular expression")


def test_a_growing_curve_is_continued_and_equals_one_that_is_fetched_whole(
    open_page: Callable[..., Page], root: Path
) -> None:
    board = Board("live", base_dir=root, capture_output=False)
    for step in range(3000):
        board.log(step=step, loss=float(np.sin(step / 50)))
    with served(root) as address:
        page = open_page(at=f"{address}/run/{board.path.parent.name}/{board.path.name}/charts")
        drawn = chart(page, "loss")
        with page.expect_response(re.compile("after=")) as answer:
            for step in range(3000, 3100):
                board.log(step=step, loss=float(np.sin(step / 50)))
        assert len(answer.value.body()) < 3000
        page.wait_for_function("document.querySelector('kobo-chart').uplot.data[0].at(-1) === 3099")
        grown = drawn.evaluate("({ uplot }) => uplot.data.map((line) => [...line])")
        page.reload()
        assert chart(page, "loss").evaluate("({ uplot }) => uplot.data.map((line) => [...line])") == grown
        board.finish()
        page.goto("about:blank")


def spike_is_seen_at_random_zooms(page: Page, points: int, zooms: int) -> None:
    """Zoom to windows of any width around a spike of one step, and look for it in the pixels."""
    draw = random.Random(0)
    drawn = page.locator("kobo-chart")
    for _ in range(zooms):
        width = 10 ** draw.uniform(1, np.log10(points))
        begin = SPIKE_AT - draw.uniform(0.1, 0.9) * width
        lo, hi = max(int(begin), 0), min(int(begin + width), points - 1)
        with page.expect_response(re.compile(f"lo={lo}&")):
            page.evaluate(
                """async ([lo, hi]) => {
                    const { view } = await import(document.querySelector('[href$="/view.js"]').href)
                    view.set({ lo, hi })
                }""",
                [lo, hi],
            )
        expect(drawn).to_have_attribute("data-state", "ready")
        assert drawn.evaluate(BLUE_PIXELS, [SPIKE_AT, 6.0, 8.0, 3]) > 10, (lo, hi)


def test_the_band_around_many_curves_shows_a_spike_of_one_of_them(
    open_page: Callable[..., Page], root: Path
) -> None:
    with Board("crowd", base_dir=root, capture_output=False) as board:
        for step in range(3000):
            board.log({f"m/{i}": 60.0 if (step, i) == (1501, 3) else float(i) for i in range(20)}, step=step)
    with served(root) as address:
        page = open_page(at=f"{address}/run/{board.path.parent.name}/{board.path.name}/charts")
        drawn = chart(page, "m/0")
        source = "/series?" + "&".join(f"metric=m/{i}" for i in range(20))
        drawn.evaluate(
            "(chart, source) => { chart.dataset.src = source }",
            f"{source}&run={board.path.parent.name}/{board.path.name}",
        )
        expect(drawn.locator(".legend li")).to_have_count(20)
        assert drawn.evaluate(PAINTED_PIXELS, [1501, 40, 55]) > 5
        assert drawn.evaluate(PAINTED_PIXELS, [700, 40, 55]) == 0
        page.goto("about:blank")


# Returns the colour of a pixel.
COLOUR_AT = """(chart, [step, value]) => {
    const plot = chart.uplot
    const [x, y] = [plot.valToPos(step, "x", true), plot.valToPos(value, "y", true)].map(Math.round)
    const context = new OffscreenCanvas(1, 1).getContext("2d")
    context.drawImage(plot.ctx.canvas, -x, -y)
    return context.getImageData(0, 0, 1, 1).data.join()
}"""


def test_of_many_curves_the_one_that_is_pointed_at_has_its_own_band(
    open_page: Callable[..., Page], root: Path
) -> None:
    with Board("crowd", base_dir=root, capture_output=False) as board:
        for step in range(3000):
            board.log({f"m/{i}": 2.0 * i + 0.8 * (-1) ** step for i in range(20)}, step=step)
    with served(root) as address:
        page = open_page(at=f"{address}/run/{board.path.parent.name}/{board.path.name}/charts")
        drawn = chart(page, "m/0")
        source = "/series?" + "&".join(f"metric=m/{i}" for i in range(20))
        run = f"{board.path.parent.name}/{board.path.name}"
        drawn.evaluate("(chart, source) => { chart.dataset.src = source }", f"{source}&run={run}")
        expect(drawn.locator(".legend li")).to_have_count(20)

        def colours() -> list[str]:
            return [drawn.evaluate(COLOUR_AT, [1500, 2 * i + 0.5]) for i in (7, 12)]

        before = colours()
        assert before[0] == before[1]
        drawn.locator(".legend li").nth(7).hover()
        pointed = colours()
        assert pointed[0] != before[0]
        assert pointed[1] == before[1]
        page.mouse.move(0, 0)
        assert colours() == before
        page.goto("about:blank")


def record_spike(run: Path, points: int) -> None:
    values = np.random.default_rng(0).normal(size=(points, 1)) * 0.3
    values[SPIKE_AT] = SPIKE_HEIGHT
    record(run, ["signal"], values, jittered_times(points))


@pytest.mark.parametrize("points", [POINTS, pytest.param(10_000_000, marks=pytest.mark.long)])
def test_a_spike_of_one_step_is_visible_at_random_zooms(
    open_page: Callable[..., Page], tmp_path: Path, points: int
) -> None:
    run = tmp_path / "spikes" / "p" / "spike"
    record_spike(run, points)
    with served(tmp_path / "spikes") as address:
        page = open_page(at=f"{address}/run/p/spike/charts")
        # All of 10M points are read once, which takes a busy machine its time.
        expect(page.locator("kobo-chart")).to_have_attribute("data-state", "ready", timeout=100_000)
        spike_is_seen_at_random_zooms(page, points, 20)
        page.goto("about:blank")


def test_a_section_on_another_page_is_gone_to(open_page: Callable[..., Page], tmp_path: Path) -> None:
    with Board("wide", run_id="wide", project="p", base_dir=tmp_path, capture_output=False) as board:
        for step in range(3):
            board.log(step=step, **{f"{part}/m{i}": float(step) for part in "abc" for i in range(90)})
    with served(tmp_path) as address:
        page = open_page("/run/p/wide/charts", at=address)
        expect(page.locator("kobo-chart")).to_have_count(100)
        page.get_by_role("navigation", name="Sections of metrics").get_by_role("link", name="c 90").click()
        expect(page).to_have_url(re.compile(r"page=2#section:c$"))
        expect(page.locator("[id='section:c']")).to_be_in_viewport()
        expect(page.locator("kobo-chart[data-key='c/m0'][data-state=ready] canvas")).to_be_in_viewport()
        page.get_by_label("Smoothing").fill("0.5")
        page.get_by_role("link", name="Next →").click()
        expect(page.locator("kobo-chart")).to_have_count(70)
        expect(page).to_have_url(re.compile("smooth=0.5"))
        expect(page.locator("kobo-chart[data-key='c/m20'][data-state=ready] canvas")).to_be_in_viewport()
        page.go_back()
        expect(page.locator("kobo-chart[data-key='c/m0']")).to_have_count(1)
        page.close()  # before its server, which it asks for more
