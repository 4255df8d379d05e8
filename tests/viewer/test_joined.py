from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Table
from kohakuboard.reader import open_run
from kohakuboard_viewer.joined import csv_of, joined_columns, joined_page

WriteRun = Callable[..., Path]


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    def log(board: Board) -> None:
        for step in range(4):
            rows = [{"n": step * 10 + i, "word": f"w{i}"} for i in range(10)]
            board.log(t=Table(rows), step=step)
        board.log(t=Table([{"n": None, "more": 'a "b", c'}, {"n": 5, "more": "=1"}]), step=9)

    return write_run("one", log)


def test_rows_of_all_steps_follow_one_another_and_come_in_pages(run: Path) -> None:
    tables = open_run(run).tables("t")
    names = [name for name, _ in joined_columns(tables)]
    assert names == ["n", "word", "more"]
    page = joined_page(tables, names, 8, 5)
    assert [row[0] for row in page.rows] == [8, 9, 10, 11, 12]
    assert list(page.steps) == [0, 0, 1, 1, 1]
    assert page.n_rows == 42
    assert joined_page(tables, names, 40, 5).rows == [[None, None, 'a "b", c'], [5, None, "=1"]]
    assert joined_page(tables, names, 99, 5).rows == []


def test_rows_of_all_steps_are_searched_and_sorted_together(run: Path) -> None:
    tables = open_run(run).tables("t")
    names = [name for name, _ in joined_columns(tables)]
    found = joined_page(tables, names, 0, 99, search="w3")
    assert ([row[0] for row in found.rows], found.n_rows) == ([3, 13, 23, 33], 4)
    ordered = [row[0] for row in joined_page(tables, names, 0, 50, sort_by="n", descending=True).rows]
    assert ordered == [*range(39, 5, -1), 5, 5, 4, 3, 2, 1, 0, None]


def test_a_table_is_sent_as_csv(run: Path) -> None:
    tables = open_run(run).tables("t")
    rows = list(csv.reader(io.StringIO(b"".join(csv_of(tables, with_step=True)).decode())))
    assert rows[0] == ["step", "n", "word", "more"]
    assert len(rows) == 43
    assert rows[-2] == ["9", "", "", 'a "b", c']


def test_the_page_joins_all_steps_and_links_to_its_csv(client: TestClient, run: Path) -> None:
    url = f"/run/{run.parent.name}/{run.name}/tables"
    page = client.get(url, params={"step": "all", "sort": "n", "desc": "1"}).text
    assert "42 rows × 3 columns of 5 tables" in page
    assert re.findall(r'<td class="n">(\d+)</td><td class="n aside">(\d+)</td>', page)[:2] == [
        ("3", "9"),
        ("3", "8"),
    ]
    link = re.search(r'<a download href="([^"]+)"', page)
    assert link is not None
    answer = client.get(link[1].replace("&amp;", "&"))
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="t-all.csv"' in answer.headers["content-disposition"]
    assert len(answer.text.splitlines()) == 43
    assert len(client.get(f"{url}/table.csv?name=t&step=1").text.splitlines()) == 11
    assert client.get(f"{url}/table.csv?name=t&step=-5").status_code == 200
