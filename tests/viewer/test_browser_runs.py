"""The table of runs in a real Chromium: each control, each key, and what axe-core finds on its pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kohakuboard import Board
from kohakuboard.annotations import annotate
from kohakuboard.reader import open_run
from kohakuboard_viewer.colours import HUES, colour_of

from .conftest import MOVING, served
from .test_browser import ARGUMENTS

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendored" / "axe-core-4.10.3.min.js"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write three runs of one project, and one that cannot be read."""
    root = tmp_path_factory.mktemp("runs") / "runs"
    found = {}
    for number, (name, lr) in enumerate([("first", 0.1), ("second", 0.1), ("third", 0.01)]):
        config = {"lr": lr, "seed": number, "optimizer": {"name": "adam"}}
        board = Board(name, project="vision", base_dir=root, config=config, capture_output=False)
        for step in range(20):
            board.log(step=step, **{"val/acc": step * (number + 1) / 100})
        board.finish()
        found[name] = board.path
    broken = root / "vision" / "20200101-broken"
    broken.mkdir()
    (broken / "run.db").write_bytes(b"this is no database" * 100)
    return found


@pytest.fixture(scope="module")
def address(runs: dict[str, Path]) -> Iterator[str]:
    with served(runs["first"].parents[1]) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return what opens a page; what the console then complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(where: str, *, at: str = address, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(at + where)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def expect_names(page: Page, *names: str) -> None:
    expect(page.locator(".run-cell a")).to_have_text(list(names))


ALL = ("third", "second", "first", "20200101-broken")


def test_heads_sort_and_the_url_is_the_view(open_page: Callable[..., Page]) -> None:
    page = open_page("/p/vision")
    expect_names(page, *ALL)
    head = page.locator("th[data-column='metric.val/acc'] a")
    head.click()
    expect(page).to_have_url(re.compile(r"sort=metric.val%2Facc"))
    expect_names(page, "first", "second", "third", "20200101-broken")
    head.click()
    expect_names(page, *ALL)
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    page.reload()
    expect_names(page, *ALL)
    page.go_back()
    expect_names(page, "first", "second", "third", "20200101-broken")


def test_an_error_points_at_its_place_and_goes_when_it_is_mended(open_page: Callable[..., Page]) -> None:
    page = open_page("/runs")
    page.keyboard.press("/")
    page.keyboard.type("lrr < 0.1")
    expect(page.locator("#filter-state mark")).to_have_text("lrr")
    expect(page.locator("#filter-state")).to_contain_text("did you mean")
    page.locator("#filter input[name=q]").fill("lr < 0.1 and name ~ ^THI")
    expect_names(page, "third")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".run-cell a")).to_have_count(4)
    expect(page.locator("#filter input[name=q]")).to_have_value("")


def test_an_empty_page_becomes_the_list_when_its_first_run_begins(
    open_page: Callable[..., Page], write_run: Callable[..., Path], root: Path
) -> None:
    root.mkdir()
    with served(root) as address:
        page = open_page("/runs", at=address)
        expect(page.locator("#filter")).to_have_count(0)
        write_run("first", project="vision")
        expect_names(page, "first")
        page.locator("#filter input[name=q]").fill("name = second")
        expect(page.locator("#runs-list")).to_contain_text("No run matches")
        page.context.close()


def test_columns_are_chosen_moved_and_hidden(open_page: Callable[..., Page]) -> None:
    page = open_page("/p/vision")
    heads = page.locator("thead th[data-column]")
    expect(page.locator("th[data-column='config.optimizer.name']")).to_have_count(0)  # the same in all runs
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="optimizer.name").check()
    page.locator("input[type=text][name=col]").fill("val/acc:max")
    page.get_by_role("button", name="Show these, too").click()
    expect(heads.last).to_have_text("val/acc:max")
    expect(page.locator("th[data-column='config.optimizer.name']")).to_be_visible()
    page.get_by_role("link", name="Move config.optimizer.name to the left").click()
    expect(heads.nth(-3)).to_have_text("optimizer.name")
    page.get_by_role("link", name="Hide config.optimizer.name").click()
    expect(page.locator("th[data-column='config.optimizer.name']")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(".menu[open]")).to_have_count(0)


def test_a_column_is_resized_by_the_mouse_and_by_keys_and_the_url_keeps_it(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("/p/vision")
    head = page.locator("th[data-column='config.lr']")
    box = head.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 97, box["y"] + 10, steps=3)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"width=\d+%3Aconfig.lr"))
    expect(head).to_have_attribute("width", re.compile(r"\d+"))
    wider = int(head.get_attribute("width") or 0)
    assert wider == pytest.approx(box["width"] + 100, abs=3)
    head.locator("a").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect(head).not_to_have_attribute("width", str(wider))


def test_groups_show_mean_and_deviation_and_lead_to_their_runs(open_page: Callable[..., Page]) -> None:
    page = open_page("/p/vision?q=status+%3D+finished")
    page.locator("summary", has_text="Group").click()
    page.locator(".drop:visible").get_by_role("checkbox", name="lr", exact=True).check()
    page.get_by_role("button", name="Group").click()
    expect(page.locator(".grouped tbody tr")).to_have_count(2)
    expect(page.locator(".grouped")).to_contain_text("0.285 ± 0.13435 (2)")
    page.locator(".grouped tbody th a", has_text="0.1").click()
    expect_names(page, "second", "first")


def test_keys_move_select_compare_and_help(open_page: Callable[..., Page]) -> None:
    page = open_page("/p/vision")
    page.keyboard.press("j")
    expect(page.locator(".run-cell a").nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("#selected")).to_have_text("2 runs selected")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next and previous run")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.route("**/compare?*", lambda route: route.fulfill(status=200, body="compared"))
    with page.expect_request(re.compile("/compare")) as asked:
        page.keyboard.press("c")
    assert asked.value.url.count("run=vision%2F") == 2


def test_keys_open_a_run_from_home(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    expect(page.locator(".project")).to_contain_text("vision")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("third")


@pytest.mark.parametrize("script", [True, False])
def test_a_run_is_renamed_and_a_view_kept(
    open_page: Callable[..., Page], runs: dict[str, Path], script: bool
) -> None:
    page = open_page("/p/vision?q=second", java_script_enabled=script)
    page.get_by_role("checkbox", name="Select second").check()
    page.get_by_role("button", name="Edit…").click()
    page.get_by_label("Add tags").fill("kept")
    page.get_by_label("Name").fill("second of all")
    page.get_by_role("button", name="Save").click()
    expect_names(page, "second of all")
    expect(page.locator(".tag")).to_have_text("kept")
    annotate(runs["second"], name=None, remove_tags=["kept"])
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Keep what is shown now as").fill("only the second")
    page.get_by_role("button", name="Keep this view").click()
    expect(page).to_have_url(re.compile(r"/p/vision\?q=second$"))
    page.locator("summary", has_text="Views").click()
    page.get_by_role("button", name="Forget the view only the second").click()
    expect(page.locator("summary", has_text="Views")).to_have_text("Views")


def edit(page: Page, *names: str, **chosen: str) -> None:
    """Pick runs out, choose in their form what its parts, by how they begin, offer, and save it."""
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    page.get_by_role("button", name="Edit…").click()
    for part, choice in chosen.items():
        page.get_by_role("group", name=re.compile(f"^{part}")).get_by_label(choice, exact=True).check()
    page.get_by_role("button", name="Save").click()


@pytest.mark.parametrize("script", [True, False])
def test_a_run_is_coloured_and_pinned(
    open_page: Callable[..., Page], runs: dict[str, Path], script: bool
) -> None:
    page = open_page("/p/vision", java_script_enabled=script)
    expect_names(page, *ALL)
    row = page.locator(f"tr[data-key='vision/{runs['first'].name}']")
    usual = colour_of(runs["first"].name)
    chosen = next(hue for hue in HUES if hue.name != usual.name)
    edit(page, "first", Colour=chosen.name, Pinned="Yes")
    expect_names(page, "first", "third", "second", "20200101-broken")
    expect(row.get_by_role("img", name="pinned")).to_be_visible()
    expect(row.locator(".dot")).to_have_css("background-color", rgb(chosen.light))
    edit(page, "first", Colour="By its id", Pinned="No")
    expect_names(page, *ALL)
    expect(page.get_by_role("img", name="pinned")).to_have_count(0)
    expect(row.locator(".dot")).to_have_css("background-color", rgb(usual.light))


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(part) for part in bytes.fromhex(colour[1:]))})"


@pytest.mark.parametrize("script", [True, False])
def test_archived_runs_leave_the_list_and_are_brought_back(
    open_page: Callable[..., Page], script: bool
) -> None:
    page = open_page("/p/vision", java_script_enabled=script)
    edit(page, "first", "third", Archived="Yes")
    expect_names(page, "second", "20200101-broken")
    page.get_by_role("link", name="Show 2 archived").click()
    expect_names(page, *ALL)
    expect(page.locator("tr.archived a")).to_have_text(["third", "first"])
    expect(page.locator(".tag")).to_have_text(["archived"] * 2)
    page.get_by_role("link", name="Hide 2 archived").click()
    expect_names(page, "second", "20200101-broken")
    page.get_by_role("link", name="Show 2 archived").click()
    edit(page, "first", "third", Archived="No")
    expect(page.locator("tr.archived")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("archived"))).to_have_count(0)
    page.goto(page.url.split("?")[0])
    expect_names(page, *ALL)


def test_a_run_is_deleted_and_restored(open_page: Callable[..., Page], runs: dict[str, Path]) -> None:
    page = open_page("/p/vision?q=first")
    page.get_by_role("checkbox", name="Select first").check()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Move to the trash").click()
    expect(page.get_by_text("No run matches")).to_be_visible()
    page.get_by_role("link", name="Trash").click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()
    assert open_run(runs["first"]).name == "first"


PAGES = [
    "/",
    "/runs",
    "/p/vision?group=lr",
    "/runs?q=nosuch+%3D+1",
    "/edit?run={run}",
    "/delete?run={run}",
    "/trash",
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Callable[..., Page], runs: dict[str, Path], theme: str) -> None:
    key = f"vision/{runs['first'].name}"
    page = open_page("/", color_scheme=theme, bypass_csp=True, reduced_motion="reduce")
    origin = page.url.rstrip("/")
    for where in PAGES:
        page.goto(origin + where.format(run=key))
        for menu in page.locator(".menu summary").all():
            menu.evaluate("summary => { summary.parentElement.open = true }")
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run().then((found) => found.violations)")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == [], where


def test_focus_is_visible_on_all_that_is_reached_by_tab(open_page: Callable[..., Page]) -> None:
    page = open_page("/p/vision")
    for _ in range(25):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return e === document.body || s.outlineStyle !== 'none' || e.matches('.framed') }"
        )
        assert seen


def test_nothing_moves_for_those_who_want_less_motion(open_page: Callable[..., Page], tmp_path: Path) -> None:
    with Board("live", project="p", base_dir=tmp_path, capture_output=False) as board, served(tmp_path) as at:
        board.log(step=0, loss=1.0)
        board.log(step=1, loss=2.0)
        page = open_page("/", at=at, reduced_motion="reduce")
        for where in ("/", "/runs", f"/run/p/{board.path.name}", f"/run/p/{board.path.name}/charts"):
            page.goto(at + where)
            running = page.locator(".status-running svg").first
            expect(running).to_be_visible()
            page.locator("#theme").click()
            page.keyboard.press("?")
            expect(page.get_by_role("dialog")).to_be_visible()
            assert page.evaluate(MOVING) == [], where
            page.keyboard.press("Escape")
            page.emulate_media(reduced_motion="no-preference")
            assert "breathe" in page.evaluate(MOVING), where
            page.emulate_media(reduced_motion="reduce")
        page.goto("about:blank")


def test_runs_are_picked_and_compared_on_a_phone(open_page: Callable[..., Page]) -> None:
    """The cell of the name lay over the check box: it could be tapped by nobody."""
    page = open_page("/p/vision", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    for name in ("first", "second"):
        page.get_by_label(f"Select {name}").tap()
    page.get_by_role("button", name="Compare").tap()
    expect(page.locator("h1")).to_have_text("2 runs compared")


def test_long_names_widen_nothing(open_page: Callable[..., Page], tmp_path: Path) -> None:
    tag, metric = "tag" * 30, "very/" * 30 + "x" * 150
    with Board("one", project="p", base_dir=tmp_path, capture_output=False, tags=[tag]) as board:
        board.log({metric: 1.0})
    with served(tmp_path) as server:
        page = open_page("/p/p", at=server)
        status = page.get_by_text("finished", exact=True)
        expect(status).to_be_in_viewport(ratio=1)
        expect(page.locator(".tag")).to_have_attribute("title", tag)
        page.get_by_role("link", name="one").click()
        points = page.locator(".metrics tbody td").last
        expect(points).to_be_in_viewport(ratio=1)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.goto("about:blank")


@pytest.mark.parametrize("width", [390, 900])
@pytest.mark.parametrize("where", ["/", "/runs", "/p/vision?group=lr", "/trash"])
def test_no_page_is_wider_than_its_window(open_page: Callable[..., Page], where: str, width: int) -> None:
    page = open_page(where, viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
