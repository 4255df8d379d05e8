"""Real runs for the viewer to show, and a real server and browser to show them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app

Log = Callable[[Board], None]
WriteRun = Callable[..., Path]


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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(root), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
