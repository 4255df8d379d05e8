"""The tabs of a run's page in a real Chromium, with hostile content in all of them; every wait is for an event."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kohakuboard import Board, Figure, Histogram, KernelDensity, Media, Table, Tensor
from kohakuboard.journal.encoder import has_ffmpeg

from .conftest import MOVING, served

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
TABS = (
    "",
    "charts",
    "media",
    "figures",
    "histograms",
    "densities",
    "tensors",
    "tables",
    "text",
    "artifacts",
    "console",
    "system",
    "environment",
)
ATTACK = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>parent.document.title=1</script></svg>'


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run with something on each tab, once; no test changes it."""
    random = np.random.default_rng(0)
    picture = np.zeros((40, 60, 3), np.uint8)
    with Board(ATTACK, project="p", base_dir=tmp_path_factory.mktemp("tabs"), capture_output=False) as board:
        for step in range(0, 50, 10):
            board.log(
                {
                    "h": Histogram(random.normal(loc=step / 10, size=500)),
                    "k": KernelDensity(random.normal(size=100)),
                    "seg": [
                        Media(
                            picture + step,
                            f"{step}/{number}",
                            boxes=[{"box": [5, 5, 30, 30], "label": ATTACK}],
                            masks={"m": np.eye(40, 60, dtype=np.uint8)},
                        )
                        for number in range(3)
                    ],
                    "rows": Table([{"n": (i * 7) % 60, "s": ATTACK} for i in range(60)]),
                },
                step=step,
            )
        tone = np.sin(np.arange(80_000) / 5).astype(np.float32)
        title = {"title": {"text": ATTACK}}
        board.log(
            {
                ATTACK: Media(SVG.encode(), ATTACK),
                "tone": Media(tone, sample_rate=8000),
                "figure": Figure({"data": [{"type": "heatmap", "z": [[1, 2], [3, 4]]}], "layout": title}),
                "t": Tensor(np.eye(3)),
                "cube": Tensor(np.arange(27.0).reshape(3, 3, 3)),
                "loss": 1.0,
            },
            step=40,
        )
    (board.path / "console.log").write_text(f"\x1b[31m{ATTACK}\x1b[0m\n" * 200)
    return board.path


@pytest.fixture(scope="module")
def address(run: Path) -> Iterator[str]:
    with served(run.parents[1]) as address:
        yield f"{address}/run/{run.parent.name}/{run.name}"


@pytest.fixture
def open_tab(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return what opens a tab; what the console then complains of, hostile content among it, fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(tab: str, *, at: str = address, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{at}/{tab}" if tab else at)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def steps_shown(page: Page) -> Any:
    return expect(page.locator(".step-now"))


def test_every_tab_is_calm_fits_its_window_and_runs_nothing_that_was_logged(
    open_tab: Callable[..., Page], address: str
) -> None:
    page = open_tab("", viewport={"width": 390, "height": 800})
    for tab in TABS:
        page.goto(f"{address}/{tab}" if tab else address, wait_until="domcontentloaded")
        expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
        assert page.title() != "1"


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tab(
    open_tab: Callable[..., Page], address: str, axe: str, theme: str
) -> None:
    page = open_tab("", color_scheme=theme)
    views = (
        "histograms?view=ridges",
        "histograms?view=surface",
        "tensors?name=cube",
        "tables?step=all",
        "alerts",
    )
    for tab in (*TABS, *views):
        page.goto(f"{address}/{tab}" if tab else address, wait_until="load")
        page.evaluate(axe)
        found = page.evaluate("async () => (await axe.run({ iframes: false })).violations")
        said = [(one["id"], one["nodes"][0]["target"], one["nodes"][0]["failureSummary"]) for one in found]
        assert said == [], tab


def test_the_slider_moves_with_the_keyboard_and_the_url_keeps_the_step(open_tab: Callable[..., Page]) -> None:
    page = open_tab("media")
    steps_shown(page).to_have_text("40")
    page.locator("[data-steps]").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    steps_shown(page).to_have_text("20")
    expect(page.locator(".caption").filter(has_text="20/0")).to_be_visible()
    expect(page).to_have_url(re.compile(r"step=20"))
    page.keyboard.press("End")
    steps_shown(page).to_have_text("40")
    expect(page).not_to_have_url(re.compile(r"step="))
    expect(page.locator(".caption").filter(has_text="40/0")).to_be_visible()
    page.keyboard.press("[")
    steps_shown(page).to_have_text("30")
    expect(page.locator(".caption").filter(has_text="30/0")).to_be_visible()
    page.keyboard.press("]")
    steps_shown(page).to_have_text("40")


def test_links_are_followed_in_place_and_back(open_tab: Callable[..., Page]) -> None:
    page = open_tab("tables")
    page.evaluate("window.sameDocument = true")
    page.locator("thead a", has_text="n").click()
    first = page.locator("tbody tr").first.locator("td").nth(1)
    expect(page.locator("[aria-sort=ascending]")).to_have_count(1)
    expect(first).to_have_text("0")
    page.locator("thead a", has_text="n").click()
    expect(first).to_have_text("59")
    expect(page.locator("[aria-sort=descending]")).to_have_count(1)
    page.go_back()
    expect(first).to_have_text("0")
    assert page.evaluate("window.sameDocument")


def test_a_heat_map_is_drawn_read_and_chooses_the_step(open_tab: Callable[..., Page]) -> None:
    page = open_tab("histograms")
    heat = page.locator("kobo-heatmap")
    expect(heat).to_have_attribute("data-state", "ready")
    pixels = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    assert 255 in page.locator("kobo-heatmap canvas").evaluate(pixels)[3::4]
    box = page.locator("kobo-heatmap canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 10, box["y"] + 80)
    expect(heat.locator("output")).to_contain_text("step 0 ·")
    page.mouse.click(box["x"] + 10, box["y"] + 80)
    steps_shown(page).to_have_text("0")


def test_histograms_are_shown_in_relief_and_the_url_keeps_the_view(open_tab: Callable[..., Page]) -> None:
    page = open_tab("histograms")
    page.get_by_role("link", name="Ridges").click()
    expect(page.locator(".ridge")).to_have_count(5)
    page.locator("[data-steps]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".ridge").first).to_have_class("ridge chosen")
    page.get_by_role("link", name="Surface").click()
    expect(page.locator(".surface .face").first).to_be_attached()
    expect(page).to_have_url(re.compile("view=surface"))
    page.get_by_role("link", name="Map").click()
    expect(page.locator("kobo-heatmap")).to_have_attribute("data-state", "ready")


def test_a_slice_of_a_tensor_is_chosen_in_place(open_tab: Callable[..., Page]) -> None:
    page = open_tab("tensors")
    page.get_by_role("link", name="cube").click()
    expect(page.locator(".numbers td").first).to_have_text("0")
    page.get_by_label("axis 0").fill("2")
    expect(page.locator(".numbers td").first).to_have_text("18")
    expect(page).to_have_url(re.compile("at0=2"))


def test_overlays_are_switched_off_and_on_and_the_url_keeps_it(open_tab: Callable[..., Page]) -> None:
    page = open_tab("media")
    for kind, overlay in (("boxes", ".boxes"), ("masks", ".mask")):
        expect(page.locator(overlay).first).to_be_visible()
        page.locator(".toggle", has_text=kind.capitalize()).click()
        expect(page.locator(overlay)).to_have_count(0)
        expect(page).to_have_url(re.compile(f"{kind}=0"))
    page.locator(".toggle", has_text="Boxes").click()
    expect(page.locator(".boxes").first).to_be_visible()
    page.locator(".classes .toggle").first.click()
    expect(page.locator(".boxes")).to_have_count(0)


def test_a_picture_is_shown_large_and_the_keys_lead_to_others(open_tab: Callable[..., Page]) -> None:
    page = open_tab("media")
    page.locator(".frame > a[data-name=seg]").first.click()
    words = page.locator(".lightbox-words")
    expect(words).to_have_text("40/0 · seg · step 40 · 1 of 3")
    expect(page.locator(".lightbox-frame img.pixels")).to_have_css("image-rendering", "pixelated")
    expect(page).to_have_url(re.compile("open=seg%3A0"))
    page.keyboard.press("ArrowRight")
    expect(words).to_have_text("40/1 · seg · step 40 · 2 of 3")
    page.keyboard.press("ArrowUp")
    expect(words).to_have_text("30/1 · seg · step 30 · 2 of 3")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(words).to_have_text("30/2 · seg · step 30 · 3 of 3")
    page.reload()
    expect(words).to_have_text("30/2 · seg · step 30 · 3 of 3")
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("open="))
    page.locator(".frame > a[data-name=seg]").first.click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#lightbox")).to_be_hidden()


def test_a_sound_plays_from_where_one_seeks_to(open_tab: Callable[..., Page]) -> None:
    page = open_tab("media")
    page.locator("audio").evaluate(
        "audio => new Promise((done, fail) => { audio.onseeked = done; audio.onerror = fail; "
        "audio.onloadedmetadata = () => { audio.currentTime = 7 }; audio.load() })"
    )
    assert page.locator("audio").evaluate("audio => [audio.currentTime, Math.round(audio.duration)]") == [
        7,
        10,
    ]


@pytest.mark.skipif(not has_ffmpeg(), reason="there is no ffmpeg")
def test_a_video_is_shown_from_where_one_seeks_to(open_tab: Callable[..., Page], tmp_path: Path) -> None:
    """Frames grow from black to white: what is seen is the frame that was sought."""
    frames = np.arange(0, 250, 5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 64, 3), np.uint8)
    with Board("film", project="p", base_dir=tmp_path / "runs", capture_output=False) as board:
        board.log({"film": Media(frames, fps=10)})
    with served(tmp_path / "runs") as server:
        page = open_tab("media", at=f"{server}/run/p/{board.path.name}")
        seen = page.locator("video").evaluate(
            """video => new Promise((done, fail) => {
                video.onerror = () => fail(video.error.message)
                video.onseeked = () => {
                    const context = new OffscreenCanvas(1, 1).getContext("2d")
                    context.drawImage(video, 0, 0, 1, 1)
                    done([video.duration, video.currentTime, context.getImageData(0, 0, 1, 1).data[0]])
                }
                video.onloadeddata = () => { video.currentTime = 4.05 }
                video.load()
            })"""
        )
        assert seen == [5, 4.05, pytest.approx(200, abs=6)]
        page.close()


def test_a_figure_is_drawn_in_a_frame_that_reaches_nothing(open_tab: Callable[..., Page]) -> None:
    page = open_tab("figures")
    frame = page.frame_locator(".plotted iframe")
    expect(frame.locator(".main-svg").first).to_be_visible()
    inside = page.frames[1]
    assert inside.evaluate("origin") == "null"
    assert (
        inside.evaluate("() => { try { return parent.document.title } catch { return 'refused' } }")
        == "refused"
    )
    page.locator("#theme").click()
    expect(page.locator(".plotted iframe")).to_have_attribute("src", re.compile("#dark$"))


def test_a_figure_moves_only_for_those_who_do_not_mind(open_tab: Callable[..., Page]) -> None:
    page = open_tab("figures", reduced_motion="reduce")
    frame = page.frame_locator(".plotted iframe")
    frame.locator(".main-svg").first.hover()
    expect(frame.locator(".modebar")).to_have_css("opacity", "1")
    inside = page.frames[1]
    assert inside.evaluate(MOVING) == []
    page.emulate_media(reduced_motion="no-preference")
    assert inside.evaluate(MOVING) != []


def test_what_is_printed_appears_at_the_end(open_tab: Callable[..., Page], tmp_path: Path) -> None:
    with Board("live", project="p", base_dir=tmp_path / "runs", capture_output=False) as board:
        path = board.path
        (path / "console.log").write_text("line\n" * 300)
        with served(tmp_path / "runs") as server:
            page = open_tab("console", at=f"{server}/run/p/{path.name}")
            expect(page.locator(".console li")).to_have_count(300)
            with (path / "console.log").open("a") as file:
                file.write("the newest\n")
            newest = page.locator(".console li", has_text="the newest")
            expect(newest).to_be_in_viewport()
            page.close()  # before its server, which it asks for more


def test_the_output_is_filtered_in_place_and_followed_again(open_tab: Callable[..., Page]) -> None:
    page = open_tab("console")
    expect(page.locator(".console li").last).to_be_in_viewport()
    page.locator(".console").evaluate("box => { box.scrollTop = -box.scrollHeight }")
    expect(page.locator(".console li").first).to_be_in_viewport()
    page.get_by_role("button", name="To the end").click()
    expect(page.locator(".console li").last).to_be_in_viewport()
    page.get_by_role("link", name="Times").click()
    expect(page.locator(".console time").first).to_be_hidden()
    page.get_by_role("link", name="stdout", exact=True).click()
    expect(page).to_have_url(re.compile("times=0&stream=stdout"))


def test_all_steps_of_a_table_are_joined_and_its_cells_shown_large(open_tab: Callable[..., Page]) -> None:
    page = open_tab("tables")
    page.get_by_role("link", name="All steps joined").click()
    expect(page.locator(".found")).to_contain_text("300 rows × 2 columns of 5 tables")
    page.locator("thead a", has_text="n").click()
    expect(page.locator("[aria-sort=ascending]")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 301


def test_a_long_error_does_not_widen_a_phone(open_tab: Callable[..., Page], tmp_path: Path) -> None:
    board = Board("failed", project="p", base_dir=tmp_path / "runs", capture_output=False)
    board.finish("failed", error="ValueError: " + "no room " * 40)
    with served(tmp_path / "runs") as server:
        run = f"{server}/run/p/{board.path.name}"
        page = open_tab("charts", at=run, viewport={"width": 390, "height": 800})
        reason = page.locator(".reason").bounding_box()
        assert reason is not None
        assert reason["x"] + reason["width"] <= 390
        page.locator(".reason").click()
        expect(page.locator(".trouble h2")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.close()  # it would go on asking a server that is gone


def test_a_config_is_copied_as_json(open_tab: Callable[..., Page], tmp_path: Path) -> None:
    config = {"model": {"depth": 3}}
    with Board("c", project="p", base_dir=tmp_path / "runs", capture_output=False, config=config) as board:
        board.log(loss=1.0)
    with served(tmp_path / "runs") as server:
        page = open_tab(
            "", at=f"{server}/run/p/{board.path.name}", permissions=["clipboard-read", "clipboard-write"]
        )
        page.get_by_role("button", name="Copy the config as JSON").click()
        expect(page.locator(".copy[data-state=copied]")).to_have_count(1)
        assert json.loads(page.evaluate("navigator.clipboard.readText()")) == config
        page.locator("#filter input[name=q]").fill("depth")
        expect(page.locator("#config .leaf")).to_have_text(re.compile("depth"))
        page.locator("#config summary").click()
        expect(page.locator("#config .leaf")).to_be_hidden()
        page.close()  # before its server, which it asks for more


def test_tabs_say_the_same_without_script(open_tab: Callable[..., Page], address: str) -> None:
    page = open_tab("media?step=20", java_script_enabled=False)
    expect(page.locator(".medium img").first).to_be_visible()
    page.locator(".step-link[rel=prev]").click()
    steps_shown(page).to_have_text("10")
    page.goto(f"{address}/histograms")
    expect(page.locator(".bars path")).to_have_count(1)
    page.goto(f"{address}/tables")
    page.locator("#filter input[name=q]").fill("59")
    page.locator("#filter button").click()
    expect(page.locator("tbody tr")).to_have_count(1)
