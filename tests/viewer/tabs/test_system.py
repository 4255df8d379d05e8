from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard.reader import open_run
from kohakuboard_viewer import columns


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run once, whose machine was sampled."""
    root = tmp_path_factory.mktemp("system")
    with Board("one", base_dir=root, capture_output=False, system_metrics_every_s=0.2) as board:
        board.log(loss=1)
        deadline = time.monotonic() + 20
        while not open_run(board.path).system_metrics() and time.monotonic() < deadline:
            time.sleep(0.05)
    return board.path


@pytest.fixture
def root(run: Path) -> Path:
    return run.parents[1]


@pytest.fixture
def url(run: Path) -> str:
    return f"/run/{run.parent.name}/{run.name}"


def test_samples_are_curves_on_a_tab_of_their_own(client: TestClient, run: Path, url: str) -> None:
    names = list(open_run(run).system_metrics())
    assert names
    page = client.get(f"{url}/system").text
    assert "are in %" in page
    assert set(re.findall(r'<kobo-chart data-key="([^"]+)"', page)) == set(names)
    assert '<kobo-chart data-key="system' not in client.get(f"{url}/charts").text
    (host,) = open_run(run).hosts
    for query in ({}, {"host": host}):
        answer = client.get(f"{url}/series", params={"metric": names[0], **query})
        found, _ = columns.decode(answer.content)
        assert found["count"].sum() >= 1
    assert client.get(f"{url}/series", params={"metric": names[0], "host": "other"}).status_code == 404


def test_the_environment_tells_machine_program_and_packages(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/environment").text
    for words in ("platform", "executable", "starlette"):
        assert words in page
    brief = client.get(url).text
    assert "platform" in brief
    assert '<th scope="row">starlette<' not in brief
    found = client.get(f"{url}/environment?q=starlette").text
    assert '<th scope="row">starlette</th>' in found
    assert '<th scope="row">platform</th>' not in found
