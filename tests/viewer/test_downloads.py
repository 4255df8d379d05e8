from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard.reader import open_run

WriteRun = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, write_run: WriteRun) -> Path:
    """Return a run with a directory of two files as a version, and a reference to it."""
    data = tmp_path / "data"
    (data / "sub dir").mkdir(parents=True)
    (data / "page.html").write_text("<script>alert(1)</script>")
    (data / "sub dir" / "é#?.txt").write_text("text")

    def log(board: Board) -> None:
        board.log_artifact(data, "data <b>", type="dataset", aliases=["gold"])
        board.log_artifact(data, "referred", reference=True)
        board.use_artifact("data <b>:gold")

    return write_run("maker", log)


def url_of(run: Path, name: str, version: int, path: str) -> str:
    return f"/run/{run.parent.name}/{run.name}/artifacts/{quote(name)}/{version}/{quote(path)}"


def test_the_page_of_a_run_lists_what_it_made_and_used_with_links_that_work(
    client: TestClient, run: Path
) -> None:
    page = client.get(f"/run/{run.parent.name}/{run.name}/artifacts").text
    assert "data &lt;b&gt;:v0" in page
    assert '<span class="tag">gold</span>' in page
    assert "data &lt;b&gt;:gold" in page
    url = url_of(run, "data <b>", 0, "sub dir/é#?.txt")
    assert f'href="{url}"' in page
    assert client.get(url).text == "text"


def test_a_file_comes_as_a_download_that_no_browser_runs(client: TestClient, run: Path) -> None:
    answer = client.get(url_of(run, "data <b>", 0, "page.html"))
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_a_version_does_not_list_is_not_there(client: TestClient, run: Path) -> None:
    for path in ("../../../../run.db", "/etc/passwd", "sub dir", "", "..%2f..%2frun.db", "page.html/", "\0"):
        assert client.get(url_of(run, "data <b>", 0, path)).status_code == 404, path


def test_neither_references_nor_links_lead_out_of_a_run(
    client: TestClient, run: Path, tmp_path: Path
) -> None:
    assert client.get(url_of(run, "referred", 0, "page.html")).status_code == 404
    stored = open_run(run).artifacts[0].path / "page.html"
    stored.unlink()
    (tmp_path / "secret").write_text("secret")
    stored.symlink_to(tmp_path / "secret")
    assert client.get(url_of(run, "data <b>", 0, "page.html")).status_code == 404


def test_a_run_without_artifacts_has_no_tab_for_them(
    client: TestClient, write_run: WriteRun, run: Path
) -> None:
    for path, offered in ((write_run("plain"), False), (run, True)):
        page = client.get(f"/run/{path.parent.name}/{path.name}").text
        assert (f'/{path.name}/artifacts"' in page) == offered
