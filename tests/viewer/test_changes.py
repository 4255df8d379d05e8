"""What forms do to runs, and whom they refuse. The forms are those of the pages, sent without script."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard.annotations import annotate
from kohakuboard.reader import open_run

WriteRun = Callable[..., Path]
HTML = {"accept": "text/html"}
FORM = {"content-type": "application/x-www-form-urlencoded", **HTML}


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    return write_run("one", tags=["own"], notes="first")


def key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def token(client: TestClient) -> str:
    pages = client.get("/runs").text + client.get("/trash").text
    found = re.search(r'name="token" value="([^"]+)"', pages)
    assert found is not None
    return found[1]


def send(client: TestClient, where: str, *fields: tuple[str, str], status: int = 303) -> str:
    body = urlencode([("token", token(client)), *fields])
    answer = client.post(where, content=body, headers=FORM, follow_redirects=False)
    assert answer.status_code == status, answer.text
    return answer.headers.get("location", answer.text)


def test_a_run_page_leads_to_its_form_and_the_form_back(client: TestClient, run: Path) -> None:
    page = client.get(f"/run/{key(run)}").text
    link = re.search(r'href="(/edit[^"]+)"', page)
    assert link is not None
    form = client.get(link[1].replace("&amp;", "&")).text
    assert 'value="first"' in form or ">first</textarea>" in form
    assert f"/run/{key(run)}" in form


def test_the_form_of_a_run_says_all_that_can_be_said_of_it(client: TestClient, run: Path) -> None:
    page = client.get("/edit", params={"run": key(run), "back": "/p/default?q=x"}).text
    assert 'value="one"' in page
    assert ">first</textarea>" in page
    where = send(
        client,
        "/edit",
        ("run", key(run)),
        ("back", "/p/default?q=x"),
        ("name", "the best"),
        ("given_name", "one"),
        ("notes", "a\r\nb"),
        ("add_tags", " x, two words ,"),
        ("remove_tag", "own"),
        ("colour", "teal"),
        ("pinned", "yes"),
        ("archived", "no"),
    )
    assert where == "/p/default?q=x"
    reading = open_run(run)
    assert (reading.name, reading.notes, reading.tags) == ("the best", "a\nb", ["x", "two words"])
    assert (reading.colour, reading.pinned, reading.archived) == ("teal", True, False)
    send(client, "/edit", ("run", key(run)), ("name", ""), ("colour", ""))
    reading.refresh()
    assert (reading.name, reading.colour) == ("one", None)


def test_several_runs_are_changed_at_once_and_what_is_not_chosen_stays(
    client: TestClient, write_run: WriteRun
) -> None:
    runs = [write_run("a"), write_run("b")]
    annotate(runs[0], colour="gold", notes="mine")
    both = [("run", key(run)) for run in runs]
    assert "As it is" in client.get(f"/edit?{urlencode(both)}").text
    send(
        client, "/edit", *both, ("add_tags", "x"), ("colour", "keep"), ("pinned", "keep"), ("archived", "yes")
    )
    readings = [open_run(run) for run in runs]
    assert [(each.tags, each.archived) for each in readings] == [(["x"], True)] * 2
    assert (readings[0].colour, readings[0].notes) == ("gold", "mine")


def test_archived_runs_are_left_out_until_they_are_asked_for(client: TestClient, write_run: WriteRun) -> None:
    annotate(write_run("old"), archived=True)
    annotate(write_run("top"), pinned=True)
    write_run("new")
    shown = re.compile(r'data-row="default/[^"]*-(\w+)-\w{4}"')
    assert shown.findall(client.get("/runs").text) == ["top", "new"]
    assert shown.findall(client.get("/runs?archived=1").text) == ["top", "new", "old"]
    assert shown.findall(client.get("/runs?q=archived+%3D+true").text) == ["old"]


def test_a_run_is_deleted_after_a_question_and_restored(client: TestClient, run: Path, root: Path) -> None:
    page = client.get("/delete", params={"run": key(run), "back": "/p/default"})
    assert "Move to the trash" in page.text
    assert run.exists(), "a question changes nothing"
    assert send(client, "/delete", ("run", key(run)), ("back", "/runs")) == "/runs"
    assert not run.exists()
    assert client.get("/runs.json").json()["runs"] == []
    assert client.get("/trash.json").json()["runs"][0]["name"] == "one"
    assert key(run) in client.get("/trash").text
    send(client, "/restore", ("run", key(run)))
    assert open_run(run).name == "one"
    assert "empty" in client.get("/trash").text


def test_a_live_run_is_not_deleted_and_the_others_are(client: TestClient, run: Path, root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        both = [("run", key(board.path)), ("run", key(run))]
        said = send(client, "/delete", *both, status=409)
    assert "live writer" in said
    assert "1 others were changed" in said
    assert board.path.exists()
    assert not run.exists()


def test_a_view_is_kept_for_its_project_and_forgotten(client: TestClient, run: Path, root: Path) -> None:
    where = send(
        client, "/views", ("name", "best <1>"), ("project", "default"), ("query", "q=one&sort=-name&bad=1")
    )
    assert where == "/p/default?q=one&sort=-name"
    assert "best &lt;1&gt;" in client.get("/p/default").text
    assert "best &lt;1&gt;" not in client.get("/runs").text
    assert not (run / ".kohakuboard-views.json").exists()
    assert (root / ".kohakuboard-views.json").exists()
    send(client, "/views/delete", ("name", "best <1>"), ("project", "default"), ("back", "/runs"))
    assert "best &lt;1&gt;" not in client.get("/p/default").text
    assert "1 to 100" in send(client, "/views", ("name", " "), status=400)


def test_a_damaged_file_of_views_is_no_error(client: TestClient, run: Path, root: Path) -> None:
    (root / ".kohakuboard-views.json").write_text('{"views": [{"name": 1}]}')
    assert client.get("/runs").status_code == 200


@pytest.mark.parametrize("where", ["/edit", "/delete", "/restore", "/views", "/views/delete"])
def test_a_form_of_somebody_else_is_refused(client: TestClient, run: Path, where: str) -> None:
    fields = {"token": token(client), "run": key(run), "name": "x"}
    body = urlencode(fields)
    refused = [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "file://testserver"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example"},
    ]
    for headers in refused:
        assert client.post(where, content=body, headers={**FORM, **headers}).status_code in (400, 403), (
            headers
        )
    wrong = [("", 403), ("x", 403), ("é" * 32, 403)]
    for value, status in wrong:
        body = urlencode({**fields, "token": value})
        assert client.post(where, content=body, headers=FORM).status_code == status
    assert client.post(where, content=body, headers={**FORM, "content-type": "text/plain"}).status_code == 415
    assert client.post(where, content=b"x" * 600_000, headers=FORM).status_code == 413
    assert client.post(where, content=b"&a" * 3000, headers=FORM).status_code == 400
    assert client.post(where, content=b"\xff", headers=FORM).status_code == 400
    assert client.get("/trash.json").json()["runs"] == []
    assert not (run / "annotations.json").exists()


def test_our_own_pages_may_send_forms(client: TestClient, run: Path) -> None:
    headers = {**FORM, "origin": "http://testserver", "sec-fetch-site": "same-origin"}
    body = urlencode({"token": token(client), "run": key(run), "name": "x"})
    assert client.post("/edit", content=body, headers=headers, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil", "javascript:x", "/a\r\nb", ""]
)
def test_no_form_leads_elsewhere(client: TestClient, run: Path, back: str) -> None:
    assert send(client, "/edit", ("run", key(run)), ("back", back)) == "/runs"


def test_what_makes_no_sense_is_told(client: TestClient, run: Path) -> None:
    assert client.get("/edit", headers=HTML).status_code == 400
    assert client.get("/edit", params={"run": "default/nope"}).status_code == 404
    assert client.get("/delete", params={"run": "../etc"}).status_code == 404
    assert "choose one of" in send(client, "/edit", ("run", key(run)), ("colour", "beige"), status=409)


def test_a_root_that_cannot_be_written_says_so(client: TestClient, run: Path) -> None:
    (
        run / ".annotations.lock"
    ).mkdir()  # what no permission does to root, a directory in the place of the file does
    assert "Nothing can be written there" in send(
        client, "/edit", ("run", key(run)), ("name", "x"), status=409
    )
