from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Figure, KernelDensity, Media, Table, Tensor

WriteRun = Callable[..., Path]
BLACK = np.zeros((8, 8), np.uint8)
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run once for all tests here; none of them changes it."""
    with Board("one", base_dir=tmp_path_factory.mktemp("media"), capture_output=False) as board:
        for step in (0, 10, 20):
            board.log(
                {
                    "grid": [Media(BLACK + number, caption=f"<i>{number}</i>") for number in range(step + 5)],
                    "boxed": Media(
                        BLACK,
                        HOSTILE,
                        boxes=[
                            {"box": [1, 2, 5, 7], "class_id": 1, "score": 0.5},
                            {"box": [2, 2, 4, 4], "label": HOSTILE},
                        ],
                        classes={1: "cat"},
                    ),
                    "curve": KernelDensity(np.arange(100.0) + step),
                    "table": Table([{"n": i, "text": f"row {i}", "pic": Media(BLACK)} for i in range(60)]),
                },
                step=step,
            )
        board.log(
            {HOSTILE: Media(BLACK), f"t{HOSTILE}": Tensor(np.eye(3)), f"f{HOSTILE}": Figure({"data": []})},
            step=20,
        )
        board.log({"table": Table({HOSTILE: [HOSTILE, None, 2.5]})}, step=30)

    return board.path


@pytest.fixture
def root(run: Path) -> Path:
    return run.parents[1]


@pytest.fixture
def url(run: Path) -> str:
    return f"/run/{run.parent.name}/{run.name}"


def test_each_name_has_a_grid_of_what_was_logged_at_the_step(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/media", params={"step": "15"}).text
    assert page.count("step 10 · 15 items") == 1
    assert page.count('<figure class="medium') == 12 + 1
    assert "&lt;i&gt;0&lt;/i&gt;" in page
    assert "not yet logged at this step" in page
    assert 'data-steps="0,10,20"' in page
    assert 'href="?step=15&amp;name=grid"' in page


def test_a_name_alone_shows_all_of_a_step_in_pages(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/media", params={"name": "grid"}).text
    assert page.count('<figure class="medium') == 25
    assert client.get(f"{url}/media?name=grid&page=7").text.count('<figure class="medium') == 25
    assert client.get(f"{url}/media?q=box").text.count('<figure class="medium') == 1


def test_boxes_lie_over_their_image_with_words(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/media", params={"name": "boxed"}).text
    assert 'viewBox="0 0 8 8"' in page
    assert '<rect x="1.0" y="2.0" width="4.0" height="5.0"><title>cat 0.5</title>' in page
    assert 'title="Hide boxes"' in page
    assert 'title="Hide masks"' not in page


def test_a_class_is_hidden_and_shown_again_by_a_link(client: TestClient, url: str) -> None:
    def boxes(query: str) -> list[str]:
        return re.findall(r"<title>([^<]*)</title></rect>", client.get(f"{url}/media{query}").text)

    def link(query: str, title: str) -> str:
        found = re.search(f'href="([^"]*)" title="{title}"', client.get(f"{url}/media{query}").text)
        assert found is not None
        return found[1].replace("&amp;", "&")

    label = "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
    assert boxes("?name=boxed") == ["cat 0.5", label]
    hidden = link("?name=boxed", "Hide cat")
    assert boxes(hidden) == [label]
    assert boxes(link(hidden, f"Hide {re.escape(label)}")) == []
    assert link(hidden, "Show cat") == "?name=boxed"
    assert boxes(link("?name=boxed", "Hide boxes")) == []


def test_a_large_picture_is_shown_small_and_a_small_one_as_it_is(
    client: TestClient, write_run: WriteRun
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), dtype=np.uint8)
    path = write_run("large", lambda board: board.log(large=Media(noise), small=Media(noise[:20, :20])))
    page = client.get(f"/run/{path.parent.name}/{path.name}/media").text
    (large,) = re.findall(r'src="([^"]+/thumbnails/[^"]+)"', page)
    assert len(client.get(large).content) < len(client.get(large.replace("thumbnails", "files")).content) / 4
    assert len(re.findall(r'<img class="pixels"[^>]* src="[^"]+/files/', page)) == 1


@pytest.mark.parametrize(
    "tab",
    ["", "charts", "alerts", "media", "figures", "tensors", "densities", "tables", "histograms", "console"],
)
def test_nothing_that_was_logged_becomes_markup(client: TestClient, url: str, tab: str) -> None:
    page = client.get(f"{url}/{tab}", params={"q": HOSTILE if tab == "console" else "", "name": HOSTILE}).text
    assert "<script>alert" not in page
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert "style=" not in page


def test_densities_are_curves_before_those_of_other_steps(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/densities", params={"step": "10"}).text
    assert page.count('<path class="curve" d="M') == 1
    assert page.count('<path class="behind" d="M') == 2
    assert "100 values" in page
    assert re.search(r"density up to [\d.]+<", page)


def test_tensors_are_told_of_by_their_statistics(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/tensors").text
    for words in ("3 × 3", "float64", "72 B", "0.33333", "download="):
        assert words in page


def test_a_tensor_is_shown_in_slices(client: TestClient, write_run: WriteRun) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    path = write_run("cut", lambda board: board.log(t=Tensor(array), none=Tensor(np.zeros((0, 3)))))
    url = f"/run/{path.parent.name}/{path.name}/tensors"
    page = client.get(url, params={"name": "t", "at0": "1"}).text
    assert "this slice: min 12 · max 23" in page
    assert re.findall(r'<td class="n">(\d+)</td>', page)[:5] == ["12", "13", "14", "15", "16"]
    source = re.search(r'src="([^"]+slice.png[^"]+)"', page)
    assert source is not None
    answer = client.get(source[1].replace("&amp;", "&"))
    assert answer.headers["content-type"] == "image/png"
    assert client.get(answer.url, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert "It cannot be shown: it has no numbers" in client.get(url, params={"name": "none"}).text
    assert client.get(f"{url}/slice.png?name=none").status_code == 422
    assert client.get(f"{url}/slice.png?name=other").status_code == 404


def test_a_table_is_sorted_searched_and_paged_by_the_server(client: TestClient, url: str) -> None:
    def rows(**query: str) -> list[str]:
        page = client.get(f"{url}/tables", params={"step": "20", **query}).text
        return re.findall(r'<td class="short">(row \d+)</td>', page)

    assert rows()[:3] == ["row 0", "row 1", "row 2"]
    assert len(rows()) == 50
    assert rows(page="2") == rows(page="99") == [f"row {i}" for i in range(50, 60)]
    assert rows(q="row 5", page="9" * 18) == rows(q="row 5")
    assert rows(sort="n", desc="1")[:2] == ["row 59", "row 58"]
    assert rows(q="row 5") == ["row 5", *(f"row {i}" for i in range(50, 60))]
    assert rows(sort="nope; DROP TABLE tables")[:1] == ["row 0"]
    assert rows(nth="99", page="-5", step="x") == []


def test_links_sort_a_table_up_then_down_then_not_at_all(client: TestClient, url: str) -> None:
    def link(**query: str) -> str:
        page = client.get(f"{url}/tables", params={"step": "20", **query}).text
        found = re.search(r'<a href="([^"]+)" title="number"', page)
        assert found is not None
        return found[1].replace("&amp;", "&")

    assert link() == "?step=20&sort=n"
    assert link(sort="n") == "?step=20&sort=n&desc=1"
    assert link(sort="n", desc="1") == "?step=20"


def test_media_in_cells_are_shown(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/tables", params={"step": "20"}).text
    source = re.search(r'<a class="thumbnail" href="([^"]+)"', page)
    assert source is not None
    assert client.get(source[1]).headers["content-type"] == "image/png"


def test_a_tab_without_anything_says_how_to_fill_it(client: TestClient, write_run: WriteRun) -> None:
    path = write_run("bare")
    for tab in (
        "charts",
        "alerts",
        "media",
        "figures",
        "densities",
        "tensors",
        "tables",
        "console",
        "system",
        "text",
    ):
        answer = client.get(f"/run/{path.parent.name}/{path.name}/{tab}?step=3&page=2&name=x&sort=y")
        assert answer.status_code == 200
        assert 'class="empty"' in answer.text
