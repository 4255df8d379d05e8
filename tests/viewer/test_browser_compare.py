"""The page that compares runs, and an exported report, in a real Chromium; every wait is for an event."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kohakuboard import Board, Media, Table
from kohakuboard.cli import main

from .conftest import served

pytestmark = pytest.mark.browser

# Whether a chart's line of a run goes through where its value is, in its colour.
COLOURED = """(chart, [i, step, value]) => {
    const plot = chart.uplot
    const [x, y] = [plot.valToPos(step, "x", true), plot.valToPos(value, "y", true)].map(Math.round)
    const context = new OffscreenCanvas(7, 7).getContext("2d", { willReadFrequently: true })
    context.drawImage(plot.ctx.canvas, 3 - x, 3 - y)
    const { data } = context.getImageData(0, 0, 7, 7)
    const wanted = plot.series[1 + i].stroke().match(/[0-9a-f]{2}/g).slice(0, 3).map((part) => parseInt(part, 16))
    for (let at = 0; at < data.length; at += 4)
      if (data[at + 3] > 200 && wanted.every((part, j) => Math.abs(part - data[at + j]) < 40)) return true
    return false
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write three runs, each of which begins later to log pictures, as wide as their step says, and tables."""
    root = tmp_path_factory.mktemp("compared")
    paths = []
    for number in range(3):
        config = {"lr": 0.1 * (number + 1), "act": "relu" if number else "gelu"}
        with Board(f"run-{number}", base_dir=root, capture_output=False, config=config) as board:
            for step in range(20):
                board.log(step=step, loss=float(number + 1), acc=number / 10)
                if step % 5 == 0 and step >= 5 * number:
                    words, pixels = f"{number} at {step}", np.zeros((8, 20 + step, 3), np.uint8)
                    board.log({"seen": Media(pixels, words), "rows": Table([{"said": words}])}, step=step)
        paths.append(board.path)
    return paths


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return what opens an address; what the console then complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(address: str, **options: object) -> Page:
        context = browser.new_context(viewport={"width": 1400, "height": 900}, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def address(runs: list[Path]) -> Iterator[str]:
    with served(runs[0].parents[1]) as address:
        yield address


def compare(runs: list[Path], tab: str = "", **asked: str) -> str:
    query = [("run", f"{run.parent.name}/{run.name}") for run in runs] + list(asked.items())
    return f"/compare{tab}?{urlencode(query)}"


def test_a_metric_is_turned_and_a_run_left_out_without_losing_the_rest(
    open_page: Callable[..., Page], address: str, runs: list[Path]
) -> None:
    page = open_page(address + compare(runs))
    best = page.locator("tbody[data-key=acc] .best")
    expect(best.first).to_have_text("0.2 (best)")
    page.locator("tbody[data-key=acc] .turn").click()  # from higher to neither
    expect(best).to_have_count(0)
    page.locator("tbody[data-key=acc] .turn").click()  # to lower
    expect(best.first).to_have_text("0 (best)")
    assert "lower=acc" in page.url
    page.locator("#compared input").nth(0).uncheck()
    page.get_by_role("button", name="Compare only the checked").click()
    expect(page.locator("h1")).to_have_text("2 runs compared")
    expect(best.first).to_have_text("0.1 (best)")


def test_the_curves_of_all_runs_are_drawn_in_their_colours(
    open_page: Callable[..., Page], address: str, runs: list[Path]
) -> None:
    page = open_page(address + compare(runs, "/charts", q="loss"))
    chart = page.locator("kobo-chart[data-state=ready]")
    expect(chart).to_have_count(1)
    expect(chart.locator(".legend li")).to_have_count(3)
    for number in range(3):
        # A dashed line has gaps: it is enough to be met at one of some places.
        places = [[number, step, number + 1] for step in range(1, 19)]
        assert any(chart.evaluate(COLOURED, place) for place in places), number


def test_runs_are_drawn_as_the_mean_of_what_they_have_in_common(
    open_page: Callable[..., Page], address: str, runs: list[Path]
) -> None:
    page = open_page(address + compare(runs, "/charts", q="loss"))
    chart = page.locator("kobo-chart[data-state=ready]")
    expect(chart.locator(".legend span:not(.value)")).to_have_text(["run-0", "run-1", "run-2"])
    page.locator(".more-controls summary").click()
    choice = page.get_by_label("Mean by")
    expect(choice.locator("option")).to_have_text(["each run alone", "act"])  # lr is another in each
    choice.select_option("act")
    expect(chart.locator(".legend span:not(.value)")).to_have_text(["act = gelu (1)", "act = relu (2)"])
    means = "({ drawn: { columns: { low, mean, high, x_lo } } }) => [low, mean, high].map((row) => row[x_lo.length])"
    assert chart.evaluate(means) == pytest.approx([2.5 - 0.5**0.5, 2.5, 2.5 + 0.5**0.5])
    # A chart says that it loads as soon as it is asked for something else, and is found again when it is ready.
    page.get_by_label("Band around a mean").select_option("lowest to highest")
    assert chart.evaluate(means) == [2.0, 2.5, 3.0]
    expect(page).to_have_url(re.compile("by=act&band=minmax"))
    page.reload()
    expect(chart.locator(".legend span:not(.value)")).to_have_text(["act = gelu (1)", "act = relu (2)"])
    expect(page.locator(".more-controls summary")).to_have_text("Mean by act")
    expect(page.locator("select[name=band]")).to_have_value("minmax")
    page.locator(".more-controls summary").click()
    choice.select_option("each run alone")
    expect(chart.locator(".legend li")).to_have_count(3)


def test_a_run_whose_points_are_lost_is_named_and_the_others_are_drawn(
    open_page: Callable[..., Page], root: Path
) -> None:
    runs = []
    for name in ("whole", "torn"):
        with Board(name, project="p", base_dir=root, capture_output=False) as board:
            board.log(step=0, loss=1.0)
            board.log(step=1, loss=2.0)
        runs.append(board.path)
    shutil.rmtree(runs[1] / "scalars")
    with served(root) as server:
        page = open_page(server + compare(runs, "/charts"))
        chart = page.locator("kobo-chart[data-state=ready]")
        expect(chart.locator(".detail")).to_have_text(f"cannot be read: p/{runs[1].name}")
        assert chart.evaluate("({ uplot }) => [...uplot.data[1]]") == [1, 2]
        page.goto(f"{server}/p/p")
        small = page.locator(".spark img")
        expect(small).to_have_count(2)
        page.wait_for_load_state("networkidle")
        assert small.evaluate_all("(images) => images.every((image) => image.naturalWidth > 0)")
        page.goto("about:blank")


def test_a_section_of_compared_charts_on_another_page_is_gone_to(
    open_page: Callable[..., Page], root: Path
) -> None:
    runs = []
    for name in ("one", "two"):
        with Board(name, project="p", base_dir=root, capture_output=False) as board:
            board.log({f"{part}/m{i}": float(i) for part in "abc" for i in range(60)})
        runs.append(board.path)
    with served(root) as server:
        page = open_page(server + compare(runs, "/charts"))
        expect(page.locator("kobo-chart")).to_have_count(100)
        sections = page.get_by_role("navigation", name="Sections of metrics")
        expect(sections.locator("[aria-current]")).to_have_text(["a 60", "b 60"])
        sections.get_by_role("link", name="c 60").click()
        expect(page.locator("[id='section:c']")).to_be_in_viewport()
        expect(page.locator("kobo-chart[data-key='c/m0'][data-state=ready] canvas")).to_be_in_viewport()
        expect(sections.locator("[aria-current]")).to_have_text(["b 60", "c 60"])
        page.goto("about:blank")


@pytest.mark.parametrize(("tab", "words"), [("media", ".caption"), ("tables", "tbody td:last-child")])
def test_the_slider_shows_what_each_run_had_at_a_step(
    open_page: Callable[..., Page], address: str, runs: list[Path], tab: str, words: str
) -> None:
    page = open_page(address + compare(runs, f"/{tab}"))
    slider = page.get_by_role("slider", name="Step")

    def expect_step(step: int) -> None:
        begun = step // 5 + 1
        expect(page.locator(".step-now")).to_have_text(str(step))
        expect(page.locator(f".card {words}")).to_have_text([f"{i} at {step}" for i in range(min(begun, 3))])
        absent = page.locator(".card .detail", has_text="not yet logged at this step")
        expect(absent).to_have_count(max(3 - begun, 0))
        if tab == "media":
            expect(page.locator(".card img").first).to_have_js_property("naturalWidth", 20 + step)

    expect_step(15)
    slider.focus()
    page.keyboard.press("Home")
    expect_step(0)
    expect(page).to_have_url(re.compile("step=0"))
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    expect_step(5)
    page.reload()
    expect_step(5)
    page.keyboard.press("]")
    expect_step(10)
    page.keyboard.press("[")
    expect_step(5)
    slider.press("End")
    expect_step(15)
    expect(page).not_to_have_url(re.compile("step="))


def test_what_is_picked_out_by_keys_is_picked_out_everywhere_and_kept_in_the_url(
    open_page: Callable[..., Page], address: str, runs: list[Path]
) -> None:
    page = open_page(address + compare(runs, "/relations", up="result:loss"))
    lines, dots, rows = (
        page.locator(f"{where}.out") for where in (".parallel .run", ".scatter .run", "#values tr")
    )
    expect(page.locator(".parallel path.run")).to_have_count(3)
    expect(page.locator(".scatter circle")).to_have_count(3)
    handle = page.get_by_role("slider", name="lr from")
    handle.focus()
    for _ in range(2):
        handle.press("PageUp")  # a quarter of the axis each: lr is 0.2 or more
    for out in (lines, dots, rows):
        expect(out).to_have_count(1)
    assert "brush=" in page.url
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_label("by its").select_option("max")
    expect(page).to_have_url(re.compile("of=max.*brush="))
    expect(rows).to_have_count(1)
    page.get_by_role("slider", name="lr from").press("Escape")
    for out in (lines, dots, rows):
        expect(out).to_have_count(0)


def test_a_range_is_dragged_in_the_scatter_plot(
    open_page: Callable[..., Page], address: str, runs: list[Path]
) -> None:
    page = open_page(address + compare(runs, "/relations", up="result:loss", across="config:lr"))
    box = page.locator(".scatter .hit").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7, steps=3)
    page.mouse.up()
    expect(page.locator("#values tr.out")).to_have_count(2)
    page.get_by_role("button", name="Show all runs").click()
    expect(page.locator("#values tr.out")).to_have_count(0)


def test_a_comparison_of_many_runs_begins_with_what_it_found(
    open_page: Callable[..., Page], root: Path
) -> None:
    many = []
    for number in range(8):
        with Board(f"run-{number}", project="p", base_dir=root, capture_output=False) as board:
            board.log(loss=float(number))
        many.append(board.path)
    with served(root) as server:
        page = open_page("about:blank")
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(server + compare(many))
        expect(page.locator("#summary tbody").first).to_be_in_viewport()
        expect(page.locator("#compared")).to_be_hidden()
        page.locator(".compared summary").click()
        expect(page.locator("#compared input")).to_have_count(8)
        expect(page.locator("#compared input").first).to_be_visible()
        page.goto("about:blank")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_opens_from_a_disk_with_charts_that_zoom(
    open_page: Callable[..., Page], runs: list[Path], tmp_path: Path, scheme: str
) -> None:
    output = tmp_path / "report.html"
    assert main(["export-html", *(str(run) for run in runs), "-o", str(output)]) == 0
    page = open_page(output.as_uri(), color_scheme=scheme, offline=True)
    chart = page.locator("kobo-report-chart[aria-label=loss]")
    expect(chart).to_have_attribute("data-state", "ready")
    for number in range(3):
        assert any(chart.evaluate(COLOURED, [number, step, number + 1]) for step in range(1, 19)), number
    box = chart.locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 50, steps=3)
    page.mouse.up()
    reset = page.get_by_role("button", name="Reset zoom")
    expect(reset).to_be_enabled()
    lo, hi = chart.evaluate("chart => [chart.uplot.scales.x.min, chart.uplot.scales.x.max]")
    assert 3 < lo < 6
    assert 13 < hi < 16
    reset.click()
    assert chart.evaluate("chart => chart.uplot.scales.x.max") == 19
    expect(page.locator("#summary .best").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tab(
    open_page: Callable[..., Page], address: str, runs: list[Path], axe: str, scheme: str
) -> None:
    page = open_page(address + compare(runs), color_scheme=scheme, bypass_csp=True)
    for tab in ("", "/charts", "/relations", "/media", "/histograms", "/tables"):
        page.goto(address + compare(runs, tab))
        page.evaluate(axe)
        found = page.evaluate("axe.run().then((found) => found.violations)")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == [], tab
