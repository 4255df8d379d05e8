"""Two runs that most tests of the page look at and none changes, and what all of them need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app


def address_of(run: Path) -> str:
    return f"{run.parent.name}/{run.name}"


def compare(*runs: Path, tab: str = "", **asked: object) -> str:
    """Return the address of the page that compares runs."""
    query = [("run", address_of(run)) for run in runs] + [(name, str(value)) for name, value in asked.items()]
    return f"/compare{tab}?{urlencode(query)}"


def logs(**values: float) -> Callable[[Board], None]:
    """Return what logs some values at two steps, the second time half as high."""

    def log(board: Board) -> None:
        board.log(step=0, **values)
        board.log(step=1, **{name: value / 2 for name, value in values.items()})

    return log


def row_of(page: str, name: str) -> str:
    """Return the rows of a table that speak of a name, "" when there is none."""
    found = re.search(rf'<(tr|tbody) data-key="{re.escape(name)}"[^>]*>.*?</\1>', page, re.S)
    return found[0] if found else ""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("compare")
    first = _write(root, "first", {"lr": 0.1, "model": {"depth": 3}}, {"val/loss": 4.0, "val/acc": 0.5})
    error = "ValueError: <no>"
    second = _write(
        root, "second", {"lr": 0.2, "model": {"depth": 3}}, {"val/loss": 2.0, "val/acc": 0.25}, error
    )
    return first, second


def _write(
    root: Path, name: str, config: dict[str, object], values: dict[str, float], error: str | None = None
) -> Path:
    board = Board(name, base_dir=root, capture_output=False, config=config)
    logs(**values)(board)
    board.finish("failed" if error else "finished", error=error)
    return board.path


@pytest.fixture
def shown(pair: tuple[Path, Path]) -> Iterator[TestClient]:
    """Return a client of the viewer of the two runs."""
    with TestClient(create_app(pair[0].parents[1])) as client:
        yield client
