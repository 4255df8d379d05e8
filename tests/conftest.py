"""What every test gets: a directory of its own to run in, and a word on Chromium."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from kohakuboard.client import open_boards
from kohakuboard.reader import Run, Workspace
from tests.installation import build_wheel, install, once

REPOSITORY = Path(__file__).parents[1]
JOBS = REPOSITORY / "tests" / "conformance" / "jobs"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

# A shell ignores Ctrl-C for what it runs in the background, and programs that tests start and interrupt would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BROWSER_REQUIRED = os.environ.get("KOHAKUBOARD_REQUIRE_BROWSER") == "1"


def find_chromium() -> str | None:
    """Return the path of a Chromium of the system, None where there is none."""
    if sys.platform == "darwin" and Path(CHROMIUM_ON_MACOS).exists():
        return CHROMIUM_ON_MACOS
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Chromium, for tests with the marker `browser`."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium is installed")
    return path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the wheel of the checkout."""
    (built,) = once(_shared(tmp_path_factory, worker_id) / "wheel", build_wheel).glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path) -> Path:
    """Return the bin folder of an environment that has the wheel and its dependencies."""
    return once(wheel.parent.with_name("environment"), lambda folder: install(wheel, folder)) / "bin"


def _shared(factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder that is the same for all processes of this test run."""
    base = factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(autouse=True)
def _no_open_boards() -> Iterator[None]:
    """Finish what a test left open: the next one's adapter would log to it."""
    before = open_boards()
    yield
    for board in open_boards():
        if board not in before:
            board.finish()


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test where `./kohakuboard` is nobody else's; in the checkout it is the source."""
    monkeypatch.delenv("KOHAKUBOARD_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


# For the adapters


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of runs, which is also the default one; it does not exist yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def only_run(root: Path) -> Callable[[], Run]:
    """Return what reads the only run there is."""

    def read() -> Run:
        (run,) = Workspace(root).runs()
        return run

    return read


@pytest.fixture
def start_job(root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return what starts a script of jobs/, maybe through a launcher; all that it prints is one stream."""
    jobs: list[subprocess.Popen[str]] = []

    def start(script: str, *args: object, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        paths = [REPOSITORY, REPOSITORY / "integrations"]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }
        job = subprocess.Popen(
            [sys.executable, *launcher, str(JOBS / script), *map(str, args)],
            cwd=root.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        jobs.append(job)
        return job

    yield start
    for job in jobs:
        job.kill()
        job.communicate()


@pytest.fixture
def surroundings(root: Path) -> Callable[[], tuple[object, ...]]:
    """Return what takes down all that a constructor could have changed: files, threads, environment."""

    def look() -> tuple[object, ...]:
        return sorted(root.parent.rglob("*")), set(threading.enumerate()), dict(os.environ)

    return look


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let nobody look for garbage while test modules import the frameworks, nor in what was imported later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and find_chromium() is None:
        pytest.skip("no Chromium is installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped browser test a failure where the browser is required."""
    report = yield
    if BROWSER_REQUIRED and report.skipped and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but KOHAKUBOARD_REQUIRE_BROWSER=1: {report.longrepr}"
    return report
