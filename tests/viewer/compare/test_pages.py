from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board

from .conftest import address_of, compare, logs, row_of

WriteRun = Callable[..., Path]
HTML = {"accept": "text/html"}


def test_runs_stand_beside_each_other_with_name_status_and_link(
    shown: TestClient, pair: tuple[Path, Path]
) -> None:
    page = shown.get(compare(*pair)).text
    assert "2 runs compared" in page
    for run, status in zip(pair, ("finished", "failed"), strict=True):
        assert f'href="/run/{address_of(run)}"' in page
        assert f'class="status status-{status}"' in page
    assert len(re.findall(r'<li data-key="[^"]+"><input type="checkbox" name="run"', page)) == 2


def test_only_what_differs_is_shown_until_all_is_asked_for(
    shown: TestClient, pair: tuple[Path, Path]
) -> None:
    page = shown.get(compare(*pair)).text
    assert "1 of 2 differ" in page
    assert "0.1" in row_of(page, "lr")
    assert "0.2" in row_of(page, "lr")
    assert not row_of(page, "model.depth")
    whole = shown.get(compare(*pair, config="all")).text
    assert row_of(whole, "model.depth")
    assert row_of(shown.get(compare(*pair, environment="all")).text, "python")


def test_what_is_filtered_is_filtered_everywhere(shown: TestClient, pair: tuple[Path, Path]) -> None:
    page = shown.get(compare(*pair, q="loss")).text
    assert row_of(page, "val/loss")
    assert not row_of(page, "val/acc")
    assert not row_of(page, "lr")


def test_a_run_that_is_gone_does_not_take_the_others_with_it(
    shown: TestClient, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    page = shown.get(compare(*pair, tmp_path / "local" / "gone"))
    assert page.status_code == 200
    assert "local/gone" in page.text
    assert shown.get(compare(tmp_path / "a" / "b", tmp_path / "a" / "c"), headers=HTML).status_code == 404


@pytest.mark.parametrize("count", [0, 1, 101])
def test_too_few_or_too_many_runs_are_refused_with_the_way_to_name_them(
    client: TestClient, root: Path, count: int
) -> None:
    refused = client.get(compare(*(root / "a" / str(number) for number in range(count))), headers=HTML)
    assert refused.status_code == 400
    assert "From 2 to 100 runs" in refused.text


def test_a_run_that_is_named_twice_is_shown_once(shown: TestClient, pair: tuple[Path, Path]) -> None:
    assert "2 runs compared" in shown.get(compare(*pair, *pair)).text


def test_the_version_is_another_when_one_of_the_runs_goes_on(
    client: TestClient, write_run: WriteRun, root: Path
) -> None:
    ended = write_run("ended", logs(loss=1.0))
    board = Board("going", base_dir=root, capture_output=False)
    try:
        board.log(loss=1.0)
        first = client.get(compare(ended, board.path, tab="/version"))
        assert first.json()["live"] is True
        known = {"if-none-match": first.headers["etag"]}
        assert client.get(compare(ended, board.path, tab="/version"), headers=known).status_code == 304
        board.log(loss=2.0)
        assert client.get(compare(ended, board.path, tab="/version"), headers=known).status_code == 200
    finally:
        board.finish()
    assert client.get(compare(ended, board.path, tab="/version")).json()["live"] is False


def test_a_tab_that_is_not_there_is_not_found(shown: TestClient, pair: tuple[Path, Path]) -> None:
    assert shown.get(compare(*pair, tab="/nothing"), headers=HTML).status_code == 404


def test_links_keep_the_runs_and_all_that_is_asked_for(shown: TestClient, pair: tuple[Path, Path]) -> None:
    page = shown.get(compare(*pair, lower="val/acc", show="min")).text
    link = re.search(r'<a class="more" href="([^"]+)">Show all</a>', page)
    assert link
    whole = shown.get("/compare" + link[1].replace("&amp;", "&")).text
    assert "2 runs compared" in whole
    assert 'name="lower" value="val/acc"' in whole
    assert whole.count('<td class="aside">min</td>') == 2
    assert '<td class="aside">last</td>' not in whole


def test_a_run_that_cannot_be_read_differs_in_nothing(client: TestClient, write_run: WriteRun) -> None:
    runs = [
        write_run(name, logs(loss=1.0), config={"lr": lr})
        for name, lr in (("a", 0.1), ("b", 0.1), ("c", 0.2))
    ]
    (runs[0] / "run.db").write_bytes(b"no database" * 1000)
    (runs[0] / "run.digest").unlink(missing_ok=True)
    page = client.get(compare(*runs[:2])).text
    assert "0 of 1 differ" in page
    assert not row_of(page, "lr")
    assert not row_of(page, "python")
    row = row_of(client.get(compare(*runs)).text, "lr")
    assert [" other" in cell for cell in re.findall("<td[^>]*>", row)] == [False, False, True]
