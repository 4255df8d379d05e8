from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Histogram
from kohakuboard_viewer import columns

WriteRun = Callable[..., Path]


@pytest.fixture
def url(write_run: WriteRun) -> str:
    def log(board: Board) -> None:
        for step in range(6):
            values = {f"grad/{i}": Histogram(np.arange(100.0) + step) for i in range(14)}
            board.log({**values, "<b>&": Histogram([1.0, 2.0])} if step == 5 else values, step=step * 10)

    path = write_run("one", log)
    return f"/run/{path.parent.name}/{path.name}"


def test_a_tab_is_offered_only_where_there_is_something(
    client: TestClient, url: str, write_run: WriteRun
) -> None:
    assert f'href="{url}/histograms"' in client.get(url).text
    empty = write_run("empty")
    bare = f"/run/{empty.parent.name}/{empty.name}"
    assert "/histograms" not in client.get(bare).text
    assert "No histogram yet" in client.get(f"{bare}/histograms").text
    assert client.get(f"{bare}/nonsense").status_code == 404
    assert client.get(f"{bare}/version?tab=nonsense").status_code == 404


def test_each_name_has_a_map_and_the_bars_of_the_chosen_step(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/histograms", params={"step": "25"}).text
    assert re.findall(r'<section class="card" data-key="([^"]+)"', page)[:2] == ["&lt;b&gt;&amp;", "grad/0"]
    assert "<b>&" not in page
    assert "step 20 · 100 values, up to " in page
    assert "Not yet logged at this step" in page
    assert re.search(r'<path d="M[\d.,VHM]+"', page)
    assert 'data-steps="0,10,20,30,40,50"' in page
    assert 'rel="prev" href="?step=10"' in page


def test_names_come_in_pages_and_are_filtered(client: TestClient, url: str) -> None:
    assert client.get(f"{url}/histograms").text.count('class="card"') == 12
    assert client.get(f"{url}/histograms?page=2").text.count('class="card"') == 3
    assert client.get(f"{url}/histograms?q=GRAD/13").text.count('class="card"') == 1
    assert "No histogram matches" in client.get(f"{url}/histograms?q=zzz").text


def test_a_map_travels_as_columns_and_only_when_it_is_another(client: TestClient, url: str) -> None:
    query = {"name": "grad/0", "columns": "3", "rows": "10"}
    answer = client.get(f"{url}/histograms/map", params=query)
    found, header = columns.decode(answer.content)
    assert header["rows"] == 10
    assert found["step_lo"].tolist() == [0, 20, 40]
    assert found["share"].reshape(3, 10).sum(axis=1) == pytest.approx([1, 1, 1])
    again = client.get(
        f"{url}/histograms/map", params=query, headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304


def test_a_map_is_a_picture_without_script(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/histograms").text
    source = re.search(r'<noscript><img class="heat" loading="lazy" src="([^"]+)"', page)
    assert source is not None
    picture = client.get(source[1].replace("&amp;", "&"))
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_a_name_that_is_not_there_is_not_found(client: TestClient, url: str) -> None:
    assert client.get(f"{url}/histograms/map?name=nope").status_code == 404
    assert client.get(f"{url}/histograms/map").status_code == 404
