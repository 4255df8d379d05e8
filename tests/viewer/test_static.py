from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import kohakuboard_viewer
from kohakuboard_viewer.answers import FOREVER

PACKAGE = Path(kohakuboard_viewer.__file__).parent
STATIC = PACKAGE / "static"

# As published: npm pack uplot@1.6.32, files dist/uPlot.iife.min.js and dist/uPlot.min.css.
UPLOT = {
    "uPlot-1.6.32.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot-1.6.32.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}

# As published: npm pack plotly.js-cartesian-dist-min@4.1.1, file plotly-cartesian.min.js.
PLOTLY = {"plotly-cartesian-4.1.1.min.js": "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a"}


# As published: npm pack axe-core@4.10.3, file axe.min.js. Only tests use it.
AXE = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"


def test_what_looks_for_barriers_is_as_published() -> None:
    file = Path(__file__).parent / "vendored" / "axe-core-4.10.3.min.js"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == AXE


@pytest.mark.parametrize("name", [*UPLOT, *PLOTLY])
def test_libraries_are_as_published(name: str) -> None:
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == (UPLOT | PLOTLY)[name]


@pytest.mark.parametrize("name", ["uPlot-1.6.32", "plotly-cartesian-4.1.1"])
def test_their_licences_lie_beside_them(name: str) -> None:
    text = (STATIC / f"{name}.LICENSE").read_text()
    assert "MIT" in text or "Permission is hereby granted, free of charge" in text


def test_scripts_of_our_own_are_few() -> None:
    own = [path for path in STATIC.glob("*.js") if path.name not in {*UPLOT, *PLOTLY}]
    assert sum(len(path.read_text().splitlines()) for path in own) < 2000


def test_all_that_templates_and_scripts_refer_to_is_served(client: TestClient) -> None:
    texts = [path.read_text() for path in PACKAGE.glob("templates/**/*.html")]
    texts += [path.read_text() for path in STATIC.glob("*.js") if path.name not in {*UPLOT, *PLOTLY}]
    found = {
        name
        for text in texts
        for name in re.findall(r'(?:{{ static }}/|from "\./|import "\./)([\w.-]+)', text)
    }
    found |= {name for text in texts for name in re.findall(r"[\w.-]+\.css", text)}
    modules = [name for text in texts for name in re.findall(r"{{ modules\((.*?)\) }}", text)]
    found |= {f"{name}.js" for names in modules for name in re.findall(r'"(\w+)"', names)}
    assert {"chart.js", "page.js", "plot.js", "style.css", "icons.svg", *UPLOT} <= found
    assert found >= {path.name for path in STATIC.glob("*.js")} - {*PLOTLY, "figure.js", "report.js"}
    for name in found:
        assert client.get(f"/static/{name}").status_code == 200, name


@pytest.mark.parametrize(
    ("name", "kind"),
    [("chart.js", "text/javascript"), ("style.css", "text/css"), ("icons.svg", "image/svg+xml")],
)
def test_a_name_alone_is_asked_for_again_and_fetched_only_when_it_changed(
    client: TestClient, name: str, kind: str
) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get(f"/static/{name}", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_what_pages_refer_to_is_kept_for_good_under_the_address_of_its_version(client: TestClient) -> None:
    (address,) = set(re.findall(r'"(/static/\w+)/', client.get("/").text))
    answer = client.get(f"{address}/chart.js")
    assert answer.headers["cache-control"] == FOREVER
    assert answer.text == client.get("/static/chart.js").text
    # Of a page that an older server sent.
    older = client.get("/static/0123abcd/chart.js")
    assert (older.text, older.headers["cache-control"]) == (answer.text, "no-cache")
    for path in ("0123abcd/none.js", "../app.py", "0123abcd/../../app.py", "a/b/chart.js"):
        assert client.get(f"/static/{path}").status_code == 404, path


def test_style_sheets_of_a_page_come_in_one_answer(client: TestClient) -> None:
    (link,) = re.findall(r'"(/static/\w+/[^"]*\.css)"', client.get("/").text)
    address, _, names = link.rpartition("/")
    answer = client.get(link)
    assert names.count("+") > 0
    assert answer.text == "\n".join(client.get(f"/static/{name}").text for name in names.split("+"))
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.headers["cache-control"] == FOREVER
    known = {"if-none-match": answer.headers["etag"]}
    assert client.get(link, headers=known).status_code == 304
    assert client.get(f"{address}/style.css", headers=known).status_code == 200
    for bad in (
        "style.css+chart.js",
        "style.css+none.css",
        "style.css+style.css",
        "style.css+",
        "+",
        "a.js+b.js",
    ):
        assert client.get(f"{address}/{bad}").status_code == 404, bad


def test_every_status_has_an_icon_and_a_colour() -> None:
    icons, style = (STATIC / "icons.svg").read_text(), (STATIC / "style.css").read_text()
    known = ("running", "finished", "failed", "interrupted", "killed", "preempted", "crashed", "unreadable")
    for status in known:
        assert f'id="{status}"' in icons
        assert f".status-{status}" in style
