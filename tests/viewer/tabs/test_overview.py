from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from kohakuboard import Board

WriteRun = Callable[..., Path]


def url_of(path: Path) -> str:
    return f"/run/{path.parent.name}/{path.name}"


def texts(page: str, section: str) -> str:
    """Return the words of a section of a page."""
    part = page[page.index(f'id="{section}"') :]
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", part[: part.index("</section>")]))


def test_attempts_are_shown_with_their_steps_the_latest_first(client: TestClient, root: Path) -> None:
    with Board("again", base_dir=root, run_id="again", capture_output=False) as board:
        for step in range(10):
            board.log(loss=1.0, step=step)
    code = (
        "from kohakuboard import Board\n"
        f"with Board(run_id='again', base_dir={str(root)!r}, capture_output=False) as board:\n"
        "    for step in range(6, 15): board.log(loss=2.0, step=step)\n"
        "    raise SystemExit(3)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    said = texts(client.get(url_of(board.path)).text, "attempts")
    assert re.search(r"Attempts 2 .* 2 .*6 – 14.* 1 finished – 0 – 9", said), said


def test_what_is_broken_is_said_first(client: TestClient, write_run: WriteRun) -> None:
    path = write_run("one", lambda board: board.log(loss=1.0))
    damaged = path / "journal" / "stray"
    damaged.mkdir(parents=True)
    (damaged / "00000001.kbj").write_bytes(b"no journal at all" * 1000)
    page = client.get(url_of(path)).text
    assert page.index("What is broken in this run") < page.index('id="config"')


def test_notes_are_markdown_and_stay_harmless(client: TestClient, write_run: WriteRun) -> None:
    page = client.get(url_of(write_run("one", notes="A **bold** <script>x</script>"))).text
    assert "<strong>bold</strong> &lt;script&gt;" in page


def test_artifacts_are_shown_with_who_made_and_used_them(
    client: TestClient, write_run: WriteRun, tmp_path: Path
) -> None:
    (tmp_path / "weights").write_bytes(b"w" * 2000)
    maker = write_run("maker", lambda board: board.log_artifact(tmp_path / "weights", "net", type="model"))
    user = write_run("user", lambda board: board.use_artifact("net"))
    assert f"used by {user.parent.name}/{user.name}" in texts(client.get(url_of(maker)).text, "artifacts")
    assert f"made by {maker.parent.name}/{maker.name}" in texts(client.get(url_of(user)).text, "artifacts")


def test_a_thousand_metrics_come_in_pages(client: TestClient, write_run: WriteRun) -> None:
    path = write_run("many", lambda board: board.log({f"m{i:04}": i for i in range(250)}))
    page = client.get(f"{url_of(path)}?page=3").text
    assert re.findall(r'<th scope="row">(m\d+)', page) == [f"m{i:04}" for i in range(200, 250)]
    assert "201–250 of 250" in page


def test_alerts_are_told_apart_by_level_and_searched(client: TestClient, write_run: WriteRun) -> None:
    def log(board: Board) -> None:
        for number in range(60):
            board.alert(f"alert {number}", "the <b>text</b>", "error" if number % 2 else "info")

    url = f"{url_of(write_run('one', log))}/alerts"
    page = client.get(url, params={"level": "error"}).text
    assert re.findall(r"<strong>(alert \d+)", page) == [f"alert {n}" for n in range(59, 0, -2)]
    assert "<b>text" not in page
    assert re.findall(r"<strong>(alert \d+)", client.get(url, params={"q": "alert 57"}).text) == ["alert 57"]
    assert "51–60 of 60" in client.get(url, params={"page": 9}).text


def test_of_a_run_that_cannot_be_read_nothing_is_said_to_be_missing(
    client: TestClient, write_run: WriteRun
) -> None:
    path = write_run("one", lambda board: board.log(loss=1.0), config={"lr": 0.1})
    (path / "run.db").write_bytes(b"no database" * 1000)
    (path / "run.digest").unlink(missing_ok=True)
    page = client.get(url_of(path)).text
    for section in ("config", "metrics", "environment"):
        assert "cannot be read" in texts(page, section), section
    assert "Copy this file again" in page
    assert re.search(r'id="attempts"[^>]* hidden', page)
    assert "The metrics cannot be read" in client.get(f"{url_of(path)}/charts").text
    home = client.get("/").text
    assert "1 unreadable" in home
    assert "failed" not in home
    (project,) = client.get("/.json").json()["projects"]
    assert (project["failed"], project["unreadable"]) == (0, 1)
