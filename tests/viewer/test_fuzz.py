"""Random addresses, headers and forms: nothing fails, nothing outside of the root is told, nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app
from kohakuboard_viewer.tabs import TABS

SECRET = "the-secret-outside"
RUN = "a-run"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with a run, and with links to a run, a project and a file outside of it."""
    base = tmp_path_factory.mktemp("fuzz")
    with Board(SECRET, base_dir=base / "outside", run_id="x", notes=SECRET, capture_output=False) as board:
        board.log({SECRET: 1.0})
    root = base / "runs"
    with Board("inside", base_dir=root, run_id=RUN, capture_output=False) as board:
        board.log(loss=1.0, text="hello")
    (base / "secret.txt").write_text(SECRET)
    outside = base / "outside" / "default"
    (root / "linked").symlink_to(outside)
    (root / "default" / "link").symlink_to(outside / "x")
    (root / ".trash").mkdir()
    (root / ".trash" / "linked").symlink_to(outside)
    (root / "default" / RUN / "media").mkdir(exist_ok=True)
    (root / "default" / RUN / "media" / "ab").symlink_to(base)
    return root


@pytest.fixture(scope="module")
def client(shown: Path) -> Iterator[TestClient]:
    with TestClient(create_app(shown), raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


KNOWN = [
    "run",
    "p",
    "runs",
    "default",
    "linked",
    "link",
    "x",
    RUN,
    "..",
    "%2e%2e",
    "..%2f..",
    "secret.txt",
    "trash",
]
KNOWN += [
    "edit",
    "delete",
    "compare",
    "files",
    "masks",
    "series",
    "version",
    "sparkline.svg",
    "histograms",
    "map",
    "relations",
    "series.csv",
    "series.svg",
    "slice.png",
    "table.csv",
    "texts",
]
KNOWN += [
    ".json",
    f"{RUN}.json",
    "runs.json",
    ".trash",
    "run.db",
    "static",
    "openapi.json",
    "artifacts",
    "1",
    "",
]
KNOWN += [tab.path for tab in TABS] + [f"{tab.path}.json" for tab in TABS]
PART = st.one_of(
    st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.text(max_size=12).map(lambda text: quote(text))
)
PATHS = st.one_of(
    st.sampled_from(
        ["/series", "/series.csv", "/series.svg", "/compare", "/compare/charts", "/compare/relations"]
    ),
    st.lists(PART, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    st.tuples(st.sampled_from(["default", "linked"]), st.sampled_from([RUN, "link", "x"]), PART).map(
        lambda parts: "/run/" + "/".join(parts)
    ),
)
NAMES = [
    "q",
    "col",
    "sort",
    "group",
    "page",
    "width",
    "archived",
    "run",
    "back",
    "metric",
    "x",
    "lo",
    "hi",
    "smooth",
]
NAMES += ["step", "name", "tab", "project", "host", "rows", "columns", "height", "search", "sort_by", "last"]
NAMES += [
    "by",
    "band",
    "attempts",
    "after",
    "had",
    "grid",
    "brief",
    "way",
    "log",
    "low",
    "high",
    "pin",
    "alone",
]
NAMES += [
    "up",
    "across",
    "axis",
    "of",
    "brush",
    "lower",
    "show",
    "config",
    "view",
    "hide",
    "nth",
    "at0",
    "desc",
]
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        ["nan", "-inf", "1e309", "config.lr", "metric.loss:max", "name ~ (", f"default/{RUN}", "loss"]
    ),
    st.sampled_from(["linked/x", "default/link", "../outside/default/x", "lr < 1e-3 and not tag:x", "-name"]),
)
# Half of them ask for something that is there: else nearly all are refused at their first word.
QUERIES = st.tuples(
    st.sampled_from(["", f"run=default/{RUN}&metric=loss&"]),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=5).map(urlencode),
).map("".join)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["accept", "range", "if-none-match", "origin", "host", "sec-fetch-site", "accept-language", "cookie"]
    ),
    st.one_of(
        st.sampled_from(
            [
                "text/html",
                "bytes=0-",
                "bytes=5-2",
                "*",
                "null",
                "http://testserver",
                "testserver",
                "cross-site",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    ),
    max_size=3,
)


@given(PATHS, QUERIES, HEADERS)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_address_fails_or_leads_outside(
    client: TestClient, path: str, query: str, headers: dict[str, str]
) -> None:
    # The whole address: one that begins with // would be taken for a host, and is to be tried, too.
    answer = client.get(f"http://testserver{path}?{query}", headers=headers)
    assert answer.status_code < 500, answer.text
    # What was asked is said again, and is not what is meant.
    assert SECRET not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@given(
    st.sampled_from(["/edit", "/delete", "/restore", "/views", "/views/delete", "/runs", "/"]),
    QUERIES,
    st.binary(max_size=40),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_form_without_a_token_changes_anything(
    client: TestClient, shown: Path, path: str, query: str, junk: bytes
) -> None:
    before = sorted(shown.rglob("*"))
    for body in (query.encode(), junk):
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert 400 <= client.post(path, content=body, headers=kind).status_code < 500
    assert sorted(shown.rglob("*")) == before


def test_links_lead_nowhere(client: TestClient, shown: Path) -> None:
    assert [each["id"] for each in client.get("/runs.json").json()["runs"]] == [RUN]
    assert client.get("/trash.json").json()["runs"] == []
    for where in (
        "/run/linked/x",
        "/run/default/link",
        "/p/linked",
        "/edit?run=linked/x",
        "/compare?run=default/link",
    ):
        answer = client.get(where)
        assert answer.status_code in (400, 404) or SECRET not in answer.text, where
        assert SECRET not in answer.text


def test_a_run_that_goes_while_it_is_looked_at_is_no_failure(client: TestClient, shown: Path) -> None:
    copy = shutil.copytree(shown / "default" / RUN, shown / "default" / "copy", symlinks=True)
    assert client.get("/run/default/copy").status_code == 200
    shutil.rmtree(copy)
    assert client.get("/run/default/copy").status_code == 404
