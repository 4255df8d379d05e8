from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from kohakuboard import Board, Figure, Media, Tensor

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><title>x</title><script>alert(1)</script>"
TONE = np.sin(np.arange(8000) / 10).astype(np.float32)
LONG_TONE = np.sin(np.arange(200_000) / 10).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run once for all tests here; none of them changes what it has logged."""
    root = tmp_path_factory.mktemp("files")
    page = root / "page.html"
    page.write_bytes(HTML)
    mask = np.zeros((4, 6), np.uint8)
    mask[0, 0], mask[1, 1] = 1, 2
    with Board("one", base_dir=root / "runs", capture_output=False) as board:
        board.log(
            svg=Media(SVG),
            html=Media(page),
            tone=Media(TONE, sample_rate=8000),
            long=Media(LONG_TONE, sample_rate=8000),
            masked=Media(np.zeros((4, 6, 3), np.uint8), masks={"m": mask}),
            plot=Figure({"data": [{"y": [1, 2]}], "layout": {"title": "</script><script>alert(1)//"}}),
            tensor=Tensor(np.arange(6.0)),
        )
    return board.path


@pytest.fixture
def root(run: Path) -> Path:
    return run.parents[1]


@pytest.fixture
def url(run: Path) -> str:
    return f"/run/{run.parent.name}/{run.name}"


def address(client: TestClient, url: str, tab: str, pattern: str) -> str:
    found = re.search(pattern, client.get(f"{url}/{tab}").text)
    assert found is not None
    return found[1]


def test_what_was_logged_is_sent_as_what_it_is_under_a_policy_that_lets_it_do_nothing(
    client: TestClient, url: str
) -> None:
    picture = client.get(address(client, url, "media", r'src="([^"]+\.svg)"'))
    assert picture.content == SVG
    assert picture.headers["content-type"] == "image/svg+xml"
    policy = picture.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in picture.headers["cache-control"]
    page = client.get(address(client, url, "media", r'href="([^"]+\.html)"'))
    assert page.headers["content-security-policy"].startswith("sandbox; default-src 'none';")


def test_what_no_page_shows_is_for_saving(client: TestClient, url: str) -> None:
    answer = client.get(address(client, url, "tensors", r'href="([^"]+\.npy)"'))
    assert answer.headers["content-disposition"].startswith("attachment")
    assert np.load(io.BytesIO(answer.content)).tolist() == list(range(6))


@pytest.mark.parametrize("name", ["tone", "long"])
def test_players_seek_in_small_files_and_in_large_ones(client: TestClient, url: str, name: str) -> None:
    """Small ones lie in a database, large ones are files."""
    source = address(client, f"{url}/media?name={name}&x=", "", r'<audio[^>]+src="([^"]+)"')
    whole = client.get(source)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert hashlib.sha256(whole.content).hexdigest() in source
    for asked, begin, end in (
        ("0-9", 0, 10),
        ("100-", 100, size),
        ("-7", size - 7, size),
        ("5-9999999", 5, size),
    ):
        part = client.get(source, headers={"range": f"bytes={asked}"})
        assert part.status_code == 206
        assert part.content == whole.content[begin:end]
        assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/{size}"
    assert client.get(source, headers={"range": f"bytes={size}-"}).status_code == 416
    old = client.get(source, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (old.status_code, len(old.content)) == (200, size)
    assert client.get(source, headers={"if-none-match": whole.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "asked", ["bytes=-", "bytes=x-y", "bytes=0-1,3-4", "lines=1-2", "bytes=" + "9" * 40 + "-"]
)
def test_a_range_that_makes_no_sense_gets_all_of_a_small_file(
    client: TestClient, url: str, asked: str
) -> None:
    source = address(client, f"{url}/media?name=tone&x=", "", r'<audio[^>]+src="([^"]+)"')
    assert client.get(source, headers={"range": asked}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        *("../run.db", "..%2frun.db", "%2e%2e/run.db", "run.db", "x.png", f"{'0' * 64}.png", f"{'a' * 64}"),
        *(
            f"{'a' * 64}.",
            f"{'a' * 64}.../../run.db",
            f"{'a' * 64}.png%00",
            f"{'A' * 64}.png",
            "%00",
        ),
    ],
)
@pytest.mark.parametrize("folder", ["files", "masks", "thumbnails", "figures"])
def test_an_address_leads_to_media_of_the_run_and_nowhere_else(
    client: TestClient, url: str, folder: str, name: str
) -> None:
    answer = client.get(f"{url}/{folder}/{name}")
    assert answer.status_code == 404
    assert b"SQLite" not in answer.content


def test_a_link_out_of_the_run_is_not_followed(client: TestClient, run: Path, url: str) -> None:
    secret = run.parent / "secret"
    secret.write_bytes(b"secret")
    for name in ("a" * 64 + ".png", "a" * 64 + ".plotly"):
        link = run / "media" / "aa" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(secret)
    for path in (
        f"files/{'a' * 64}.png",
        f"thumbnails/{'a' * 64}.png",
        f"masks/{'a' * 64}.png",
        f"figures/{'a' * 64}",
    ):
        answer = client.get(f"{url}/{path}")
        assert answer.status_code == 404
        assert "leads out of it" in answer.text


def test_a_mask_is_coloured_and_lets_the_background_through(client: TestClient, url: str) -> None:
    answer = client.get(address(client, url, "media", r'class="mask" loading="lazy" src="([^"]+)"'))
    with Image.open(io.BytesIO(answer.content)) as mask:
        colours = np.asarray(mask.convert("RGBA"))
    assert colours[3, 3, 3] == 0
    assert colours[0, 0, 3] == colours[1, 1, 3] == 255
    assert colours[0, 0].tolist() != colours[1, 1].tolist()


def test_what_is_no_picture_is_refused_as_a_mask(client: TestClient, url: str) -> None:
    source = address(client, f"{url}/media?name=tone&x=", "", r'<audio[^>]+src="([^"]+)"')
    digest = source.rpartition("/")[2].partition(".")[0]
    assert client.get(f"{url}/masks/{digest}.wav").status_code == 422


def test_a_figure_is_a_page_of_no_origin_whose_data_cannot_become_markup(
    client: TestClient, url: str
) -> None:
    page = client.get(address(client, url, "figures", r'<iframe[^>]+src="([^"]+)"'))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'; script-src 'self';")
    assert "allow-same-origin" not in policy
    assert "unsafe-eval" not in policy
    assert page.text.count("<script") == 3
    data = re.search(r'<script type="application/json" id="data">(.*)</script></body>', page.text)
    assert data is not None
    assert json.loads(data[1])["layout"]["title"] == "</script><script>alert(1)//"
    frame = re.search(r"<iframe[^>]+>", client.get(f"{url}/figures").text)
    assert frame is not None
    assert 'sandbox="allow-scripts"' in frame[0]
