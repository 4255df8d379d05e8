from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app

from .conftest import compare, row_of


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write runs whose loss falls as lr rises; the last has logged nothing, and the second has no width."""
    root = tmp_path_factory.mktemp("sweep")
    configs: list[dict[str, object]] = [
        {"lr": 0.1, "width": 8, "act": "relu", "same": 1},
        {"lr": 0.2, "act": "gelu", "same": 1},
        {"lr": 0.3, "width": 8, "act": "relu", "same": 1},
        {"lr": 0.4, "width": 16, "act": "silu", "same": 1},
    ]
    runs = []
    for number, config in enumerate(configs):
        board = Board(f"run-{number}", base_dir=root, capture_output=False, config=config)
        if number < 3:
            board.log(loss=1 - number / 10)
        board.finish()
        runs.append(board.path)
    return runs


@pytest.fixture
def swept(sweep: list[Path]) -> Iterator[TestClient]:
    with TestClient(create_app(sweep[0].parents[1])) as client:
        yield client


def cells(row: str) -> list[str]:
    return [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]


def test_settings_are_ranked_by_their_correlation_with_the_number_of_runs_behind_it(
    swept: TestClient, sweep: list[Path]
) -> None:
    page = swept.get(compare(*sweep, tab="/relations")).text
    assert "Spearman" in page
    importance = page[page.index('id="importance"') : page.index('id="values"')]
    assert re.findall(r'<tr data-key="config:(\w+)"', importance) == ["lr", "width"]
    assert cells(row_of(importance, "config:lr")) == ["-1.000", "", "3", "1"]
    assert cells(row_of(importance, "config:width")) == ["–", "", "2", "2"]
    assert "1 setting is text and has no order" in importance


def test_the_values_stand_in_a_table_the_best_first(swept: TestClient, sweep: list[Path]) -> None:
    page = swept.get(compare(*sweep, tab="/relations")).text
    values = page[page.index('id="values-table"') :]
    assert re.findall(r">(run-\d)</a>", values) == ["run-2", "run-1", "run-0", "run-3"]
    axes = re.findall(r'data-axis="([^"]+)"', values)
    assert axes == ["config:lr", "config:width", "config:act", "result:loss"]
    first = re.findall(r'data-place="([^"]*)"', row_of(values, f"{sweep[2].parent.name}/{sweep[2].name}"))
    assert first == ["0.3", "8.0", "1.0", "0.8"]
    last = re.findall(r'data-place="([^"]*)"', row_of(values, f"{sweep[3].parent.name}/{sweep[3].name}"))
    assert last == ["0.4", "16.0", "2.0", ""]


def test_axes_and_result_are_chosen_in_the_url(swept: TestClient, sweep: list[Path]) -> None:
    asked = {"up": "config:width", "across": "result:loss", "axis": "config:act"}
    values = swept.get(compare(*sweep, tab="/relations", **asked)).text
    assert re.findall(r'data-axis="([^"]+)"', values) == ["config:act", "result:loss", "config:width"]
    assert swept.get(compare(*sweep, tab="/relations", up="config:nothing", of="mean")).status_code == 200


def test_without_results_the_page_says_so(client: TestClient, write_run: Callable[..., Path]) -> None:
    page = client.get(compare(write_run("one"), write_run("two"), tab="/relations"))
    assert "Nothing came out yet" in page.text


def test_a_text_that_looks_like_markup_is_text(client: TestClient, root: Path) -> None:
    runs = []
    for evil in ("'\"><script>alert(1)</script>", "</svg>"):
        board = Board("evil", base_dir=root, capture_output=False, config={"act'\"<b>": evil})
        board.log(loss=1.0)
        board.finish()
        runs.append(board.path)
    page = client.get(compare(*runs, tab="/relations")).text
    assert "<script>alert" not in page
    assert "data-names='[" in page
    assert "\\u0027" in page
