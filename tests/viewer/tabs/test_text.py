from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Text

ATTACK = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run once for all tests here; none of them changes it."""
    with Board("one", base_dir=tmp_path_factory.mktemp("text"), capture_output=False) as board:
        for step in (0, 10):
            board.log(
                {
                    "answer": Text(f"# Answer {step}\n\n*yes* {ATTACK}", "markdown"),
                    "page": Text(f"<h1>{step}</h1>{ATTACK}", "html"),
                    "plain": [Text(f"line {ATTACK} {i}") for i in range(25)],
                },
                step=step,
            )
    return board.path


@pytest.fixture
def root(run: Path) -> Path:
    return run.parents[1]


@pytest.fixture
def url(run: Path) -> str:
    return f"/run/{run.parent.name}/{run.name}"


def test_markdown_is_rendered_and_what_looks_like_html_in_it_is_text(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/text", params={"name": "answer", "step": "3"}).text
    assert "<h1>Answer 0</h1>" in page
    assert "<em>yes</em> &lt;script&gt;" in page


def test_html_is_shown_only_in_a_frame_that_may_do_nothing(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/text", params={"name": "page"}).text
    assert "<h1>10" not in page
    frame = re.search(r'<iframe loading="lazy" sandbox src="([^"]+)"', page)
    assert frame is not None
    answer = client.get(frame[1].replace("&amp;", "&"))
    assert answer.text == f"<h1>10</h1>{ATTACK}"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy


@pytest.mark.parametrize(
    "query", ["", "name=page", "name=page&step=10&nth=2", "name=plain&step=10", "name=x&step=1"]
)
def test_no_other_text_is_sent_as_a_page(client: TestClient, url: str, query: str) -> None:
    assert client.get(f"{url}/texts?{query}").status_code == 404


def test_plain_text_is_text_in_pages(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/text", params={"name": "plain"}).text
    assert page.count("<pre>line &lt;script&gt;") == 20
    assert client.get(f"{url}/text?name=plain&page=2").text.count("<pre>") == 5
    assert ATTACK not in page


def test_texts_are_found_by_a_part_of_them(client: TestClient, url: str) -> None:
    page = client.get(f"{url}/text", params={"q": "ANSWER"}).text
    assert page.count("<mark>Answer</mark>") == 2
    assert 'href="?name=answer&amp;step=10"' in page
    hostile = client.get(f"{url}/text", params={"q": ATTACK}).text
    assert ATTACK not in hostile
    assert "<mark>&lt;script&gt;" in hostile
