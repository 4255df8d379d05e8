"""Real runs for the viewer to show, and a real server and browser to show them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Error, Page
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app
from kohakuboard_viewer.server import bound

Log = Callable[[Board], None]
WriteRun = Callable[..., Path]

SCREENSHOTS = os.environ.get("KOHAKUBOARD_SCREENSHOTS")

# What moves on a page, or would if it changed.
MOVING = """() => [
    ...document.getAnimations().map((each) => each.animationName ?? each.transitionProperty),
    ...[...document.querySelectorAll("*")].flatMap((element) => ["", "::before", "::after"].flatMap((part) => {
        const { transitionDuration, scrollBehavior } = getComputedStyle(element, part)
        const durations = transitionDuration.split(",").filter((each) => parseFloat(each) > 0)
        return [...durations, ...(scrollBehavior === "smooth" ? [scrollBehavior] : [])]
    })),
]"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep pictures of the pages that a test ends with: of one that failed, or of all where a folder is named."""
    report = yield
    browser = item.funcargs.get("browser")
    if call.when == "call" and isinstance(browser, Browser) and (SCREENSHOTS or report.failed):
        folder = Path(SCREENSHOTS) if SCREENSHOTS else Path.cwd()  # the test's own
        name = re.sub(r"[^\w.-]+", "_", f"{item.path.stem}.{item.name}")
        pages = [page for context in browser.contexts for page in context.pages]
        for number, page in enumerate(pages):
            report.sections.append(("screenshot", _pictured(page, folder / f"{name}-{number}.png")))
    return report


def _pictured(page: Page, file: Path) -> str:
    """Keep a picture of a page, and return where it is, or why there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        page.screenshot(path=file, timeout=10_000)
    except Error as exc:
        return f"{page.url} could not be pictured: {exc}"
    return str(file)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def write_run(root: Path) -> WriteRun:
    """Return what writes a finished run: write_run("name", log, project=…, status=…), giving its directory."""

    def write(name: str, log: Log | None = None, *, status: str = "finished", **options: object) -> Path:
        error = options.pop("error", None)
        assert error is None or isinstance(error, str)
        board = Board(name, base_dir=root, capture_output=False, **options)  # type: ignore[arg-type]
        if log is not None:
            log(board)
        board.finish(status, error=error)
        return board.path

    return write


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    root.mkdir(exist_ok=True)
    with TestClient(create_app(root)) as client:
        yield client


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core, which finds what keeps people out of a page."""
    script = next(Path(__file__).parent.glob("vendored/axe-core-*.min.js"), None)
    return script.read_text() if script else pytest.skip("there is no axe-core in tests/viewer/vendored")


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a root on a free port for the length of a with block, and give its address."""
    with bound("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(root), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
