from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.app import create_app

WriteRun = Callable[..., Path]
HTML = {"accept": "text/html"}


def url_of(path: Path) -> str:
    return f"/run/{path.parent.name}/{path.name}"


def log_training(board: Board) -> None:
    for step in range(50):
        board.log(step=step, **{"train/loss": 1 / (step + 1), "val/acc": step / 50, "lr": 0.1})


def names(page: str) -> list[str]:
    return re.findall(r'<a href="/run/[^"]+">([^<]+)</a>', page)


def test_an_empty_root_says_how_to_begin(client: TestClient, root: Path) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "board.log(" in page.text
    assert str(root) in page.text


def test_the_list_shows_runs_newest_first_with_their_main_metrics(
    client: TestClient, write_run: WriteRun
) -> None:
    write_run("first", log_training, tags=["baseline"])
    write_run("second", log_training, status="failed", error="boom", project="other")
    page = client.get("/runs").text
    assert names(page) == ["second", "first"]
    headings = re.findall(r'data-column="metric.([^"]+)"', page)
    assert headings == ["val/acc", "val/acc:curve", "train/loss"]
    assert "baseline" in page
    assert 'href="/p/other"' in page
    assert 'class="status status-failed"' in page


def test_the_list_is_filtered_without_script(client: TestClient, write_run: WriteRun) -> None:
    write_run("resnet", tags=["baseline"])
    write_run("vit", status="failed")
    assert names(client.get("/runs", params={"q": "base finished"}).text) == ["resnet"]
    assert "No run matches" in client.get("/runs", params={"q": "nothing"}).text


def test_a_project_has_a_page_of_its_own(client: TestClient, write_run: WriteRun) -> None:
    path = write_run("one", project="a b")
    write_run("two", project="c")
    assert names(client.get(f"/p/{path.parent.name}").text) == ["one"]
    assert client.get("/p/nothing").status_code == 404


def test_long_lists_come_in_pages(client: TestClient, root: Path, write_run: WriteRun) -> None:
    """A run directory with a journal and nothing in it is a run that has only begun."""
    for number in range(105):
        (root / "many" / f"run-{number:03d}" / "journal").mkdir(parents=True)
    first = client.get("/p/many?q=run")
    assert len(names(first.text)) == 100
    older = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert older is not None
    second = client.get("/p/many" + older[1].replace("&amp;", "&"))
    assert len(names(second.text)) == 5
    assert 'rel="prev"' in second.text
    assert names(client.get("/p/many?page=99").text) == names(client.get("/p/many?page=2").text)
    assert names(client.get("/p/many?page=-1").text) == names(first.text)


def test_a_run_page_says_all_that_is_known(client: TestClient, write_run: WriteRun) -> None:
    def log(board: Board) -> None:
        log_training(board)
        board.summary["best"] = 0.97

    path = write_run(
        "one", log, config={"optimizer": {"lr": 0.1}}, tags=["a<b"], notes="First & last", group="sweep"
    )
    page = client.get(url_of(path)).text
    for shown in (
        'title="optimizer.lr"',
        "First &amp; last",
        "a&lt;b",
        "sweep",
        "best",
        "0.97",
        "platform",
        path.name,
    ):
        assert shown in page
    page = client.get(f"{url_of(path)}/charts").text
    assert re.findall(r'<kobo-chart data-key="([^"]+)"', page) == [
        "train/loss",
        "val/acc",
        "lr",
    ]
    assert re.findall(r'<details class="group" open id="[^"]*" data-key="section:([^"]*)"', page) == [
        "train",
        "val",
        "",
    ]


def test_a_failed_run_shows_its_last_line_and_the_traceback(client: TestClient, write_run: WriteRun) -> None:
    error = "Traceback (most recent call last):\n  File …\nRuntimeError: out of <memory>"
    page = client.get(url_of(write_run("one", status="failed", error=error))).text
    assert "<h2>RuntimeError: out of &lt;memory&gt;</h2>" in page
    assert re.search(r"<pre[^>]*>Traceback", page)


def test_the_filter_of_a_run_page_works_on_metrics_and_on_config(
    client: TestClient, write_run: WriteRun
) -> None:
    path = write_run("one", log_training, config={"lr": 0.1, "seed": 7})
    page = client.get(url_of(path), params={"q": "LR"}).text
    assert '<th scope="row">lr</th>' in page
    assert '<th scope="row">val/acc</th>' not in page
    assert 'title="seed"' not in page
    charts = f"{url_of(path)}/charts"
    assert re.findall(r'<kobo-chart data-key="([^"]+)"', client.get(charts, params={"q": "LR"}).text) == [
        "lr"
    ]
    assert "No metric matches" in client.get(charts, params={"q": "zzz"}).text


def test_names_of_any_kind_are_shown_and_linked(client: TestClient, write_run: WriteRun) -> None:
    name = 'weird "name" <&>/ü?#%'
    path = write_run("one", lambda board: board.log({name: 1.0}))
    page = client.get(url_of(path)).text
    assert "<&>" not in page
    source = re.search(r'<td class="spark"><img loading="lazy" src="([^"]+)"', page)
    assert source is not None
    assert client.get(source[1].replace("&amp;", "&")).headers["content-type"] == "image/svg+xml"


def test_a_run_without_metrics_has_a_page(client: TestClient, write_run: WriteRun) -> None:
    assert "ended before it logged" in client.get(f"{url_of(write_run('one'))}/charts").text


def test_a_running_run_is_shown_complete(client: TestClient, root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        log_training(board)
        page = client.get(f"{url_of(board.path)}/charts").text
    assert "status-running" in page
    assert "No metric yet" not in page


def test_a_broken_run_does_not_break_the_list(client: TestClient, root: Path, write_run: WriteRun) -> None:
    write_run("good")
    broken = root / "default" / "20200101-broken"
    broken.mkdir()
    (broken / "run.db").write_bytes(b"this is no database" * 100)
    page = client.get("/runs").text
    assert names(page) == ["good", "20200101-broken"]
    assert "20200101-broken" in client.get("/").text
    assert "cannot be read" in page
    own = client.get("/run/default/20200101-broken")
    assert own.status_code == 200
    assert "cannot be read" in own.text


@pytest.mark.parametrize("path", ["/run/default/nope", "/nowhere", "/p/nope", "/run/default/nope/series"])
def test_what_is_not_there_is_a_page_that_leads_back(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 404
    assert 'href="/"' in answer.text
    assert "Traceback" not in answer.text
    assert ("moved or deleted" in answer.text) == (path != "/nowhere")


@pytest.mark.parametrize(
    "path",
    [
        "/run/default/..%2f..%2fsecret",
        "/run/%2e%2e/secret",
        "/run/../../secret",
        "/run/default/%00",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/p/%2e%2e",
    ],
)
def test_no_path_leaves_the_root(client: TestClient, root: Path, path: str) -> None:
    secret = root.parent / "secret"
    (secret / "journal").mkdir(parents=True)
    (secret / "app.py").write_text("secret")
    answer = client.get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_a_write_is_not_possible(client: TestClient) -> None:
    assert client.post("/").status_code == 405


def test_a_failure_of_ours_is_a_page_without_a_traceback(root: Path) -> None:
    root.mkdir()
    app = create_app(root)

    def fail(request: object) -> None:
        raise RuntimeError("the disk is <gone>")

    app.add_route("/fail", fail)  # type: ignore[arg-type]
    with TestClient(app, raise_server_exceptions=False) as client:
        page = client.get("/fail", headers=HTML)
    assert page.status_code == 500
    assert "the disk is &lt;gone&gt;" in page.text
    assert "Traceback" not in page.text
    assert page.headers["x-content-type-options"] == "nosniff"


def test_pages_ask_nobody_else_for_anything(client: TestClient, write_run: WriteRun) -> None:
    path = write_run("one", log_training)
    for page in (client.get("/").text, client.get("/runs").text, client.get(url_of(path)).text):
        assert not re.search(r'(src|href)="(https?:)?//', page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert "style=" not in page
        assert not re.search(r'\son\w+="', page)


def test_alerts_are_at_the_top_of_a_run_the_newest_first(client: TestClient, write_run: WriteRun) -> None:
    def log(board: Board) -> None:
        board.alert("<b>first</b>", "more", "error")
        for number in range(7):
            board.alert(f"alert {number}", level="warning")

    page = client.get(url_of(write_run("r", log))).text
    assert page.index('id="alerts"') < page.index('id="config"')
    order = re.findall(r"<strong>([^<]+)</strong> <span", page)
    assert order == ["alert 6", "alert 5", "alert 4"]
    assert "All 8 alerts" in page
