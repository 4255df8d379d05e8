"""Media, histograms and tables of two runs beside each other, the second of which begins later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Histogram, Media, Table
from kohakuboard_viewer.app import create_app

from .conftest import address_of, compare


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("beside")
    runs = []
    for number in range(3):
        with Board(f"run-{number}", base_dir=root, capture_output=False) as board:
            for step in range(10 * number, 40, 10) if number < 2 else ():
                rows = [{"guess": f"<{number}-{step}-{row}>"} for row in range(25)]
                values = np.linspace(-1 - number, 1, 100)
                picture = Media(np.full((4, 4, 3), step + number, np.uint8), caption=f"picture of {step}")
                board.log(step=step, sample=picture, weights=Histogram(values), errors=Table(rows))
        runs.append(board.path)
    return runs


@pytest.fixture
def client(logged: list[Path]) -> Iterator[TestClient]:
    with TestClient(create_app(logged[0].parents[1])) as client:
        yield client


def cards(page: str) -> dict[str, str]:
    """Return what is shown of each run, by its address."""
    return dict(re.findall(r'<section class="card" data-key="([^"]+)">(.*?)</section>', page, re.S))


@pytest.mark.parametrize("tab", ["media", "histograms", "tables"])
def test_each_run_shows_what_it_had_at_the_step(client: TestClient, logged: list[Path], tab: str) -> None:
    first, second = (address_of(run) for run in logged[:2])
    last = cards(client.get(compare(*logged, tab=f"/{tab}")).text)
    assert list(last) == [first, second]  # the third has none
    assert all("step 30" in card for card in last.values())
    early = cards(client.get(compare(*logged, tab=f"/{tab}", step=5)).text)
    assert "step 0" in early[first]
    assert "not yet logged at this step" in early[second]


def test_the_steps_are_those_of_all_runs(client: TestClient, logged: list[Path]) -> None:
    page = client.get(compare(*logged, tab="/media")).text
    assert 'data-steps="0,10,20,30"' in page
    assert page.count("picture of 30") >= 2


def test_histograms_have_one_x_axis(client: TestClient, logged: list[Path]) -> None:
    found = cards(client.get(compare(*logged, tab="/histograms")).text)
    ends = [
        re.findall(r"<figcaption><span>([^<]+)</span>.*?<span>([^<]+)</span></figcaption>", card)
        for card in found.values()
    ]
    assert ends == [[("-2", "1")], [("-2", "1")]]
    paths = [re.search(r'<path d="M([\d.]+)', card) for card in found.values()]
    assert [float(path[1]) for path in paths if path] == pytest.approx([1000 / 3, 0], abs=1)


def test_tables_show_the_same_rows_of_each(client: TestClient, logged: list[Path]) -> None:
    page = client.get(compare(*logged, tab="/tables", rows=2)).text
    for number, card in enumerate(cards(page).values()):
        assert f"&lt;{number}-30-20&gt;" in card
        assert f"&lt;{number}-30-19&gt;" not in card


@pytest.mark.parametrize("tab", ["media", "histograms", "tables"])
def test_where_there_is_nothing_the_page_says_so(client: TestClient, logged: list[Path], tab: str) -> None:
    assert (
        "None of these runs has a"
        in client.get(compare(logged[2], logged[2].parent / "x", tab=f"/{tab}")).text
    )
    assert "matches “no such”" in client.get(compare(*logged, tab=f"/{tab}", q="no such")).text
