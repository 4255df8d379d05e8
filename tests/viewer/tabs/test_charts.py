from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.tabs.base import Paging
from kohakuboard_viewer.tabs.charts import axes, pinned, places

NAMES = ["train/loss", "val/loss", "a;b,c%", "epoch"]


def log_names(board: Board) -> None:
    board.log(dict.fromkeys([*NAMES, *(f"many/{i}" for i in range(700))], 1.0))


def test_pinned_charts_are_what_the_url_names() -> None:
    assert pinned("train/loss,val/loss;epoch", NAMES) == [["train/loss", "val/loss"], ["epoch"]]
    assert pinned("a%3Bb%2Cc%25", NAMES) == [["a;b,c%"]]
    assert pinned("gone;epoch,epoch,gone;;", NAMES) == [["epoch"]]
    assert pinned("", NAMES) == []


def test_likely_axes_are_offered() -> None:
    assert axes([*NAMES, "trainer/global_step", "kept", "n_tokens"]) == [
        "epoch",
        "trainer/global_step",
        "n_tokens",
    ]


def test_sections_are_found_on_the_page_where_each_begins(
    client: TestClient, write_run: Callable[..., Path]
) -> None:
    assert places({"a": 150, "b": 49, "c": 2, "d": 1}, Paging(1, 100, 202)) == {
        "a": 1,
        "b": 2,
        "c": 2,
        "d": 3,
    }
    path = write_run("one", log_names)
    page = client.get(f"/run/{path.parent.name}/{path.name}/charts").text
    links = re.findall(r'<a href="\?page=(\d)#(section:[^"]*)"', page)
    assert links == [("1", "section:train"), ("1", "section:val"), ("1", "section:many"), ("8", "section:")]
    assert 'id="section:many"' in page
    few = client.get(f"/run/{path.parent.name}/{path.name}/charts?q=loss").text
    assert "#section:" not in few


def keys(page: str) -> list[str]:
    return [html.unescape(key) for key in re.findall(r'<kobo-chart data-key="([^"]+)"', page)]


def test_a_page_of_charts(client: TestClient, write_run: Callable[..., Path]) -> None:
    path = write_run("one", log_names)
    url = f"/run/{path.parent.name}/{path.name}/charts"
    first, *others = [client.get(f"{url}?page={page}").text for page in range(1, 9)]
    assert len(keys(first)) == 100
    shown = [key for page in (first, *others) for key in keys(page)]
    assert sorted(shown) == sorted([*NAMES, *(f"many/{i}" for i in range(700))])
    assert "page=2#charts" in first

    assert keys(client.get(url, params={"q": "/^many/1.$/"}).text) == [f"many/{i}" for i in range(10, 20)]
    assert "no regular expression" in client.get(url, params={"q": "/(a+/"}).text

    page = client.get(url, params={"pin": "train/loss,a%3Bb%2Cc%25", "q": "epoch"}).text
    assert len(keys(page)) == 2
    source = html.unescape(re.findall(r'data-src="([^"]+)"', page)[0])
    assert client.get(source).status_code == 200
    assert client.get(source.replace("/series?", "/series.svg?")).text.count("<text") > 4
