from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard.journal.console import STDERR, STDOUT, encode_line


@pytest.fixture
def run(root: Path) -> Path:
    path = root / "default" / "talker"
    (path / "journal").mkdir(parents=True)
    return path


def printed(run: Path, *texts: str, rank: int = 0, mark: bytes = STDOUT) -> None:
    with (run / (f"console.{rank}.log" if rank else "console.log")).open("ab") as file:
        for number, text in enumerate(texts):
            file.write(encode_line(1_790_000_000_000_000 + number, mark, text.encode()))


def shown(page: str) -> list[str]:
    lines = re.findall(r"<li .*?<code>(.*?)</code></li>", page)
    return [re.sub("<[^>]+>", "", line) for line in lines]


def test_the_last_lines_are_shown_and_more_when_asked(client: TestClient, run: Path) -> None:
    printed(run, *(f"line {number}" for number in range(1200)))
    page = client.get("/run/default/talker/console").text
    assert shown(page) == [f"line {number}" for number in range(700, 1200)]
    assert 'href="?last=2000"' in page
    assert len(shown(client.get("/run/default/talker/console?last=2000").text)) == 1200


def test_what_is_printed_is_text_in_colour_and_never_markup(client: TestClient, run: Path) -> None:
    printed(run, "\x1b[31m<script>alert(1)</script>\x1b[0m & \x1b]0;<img src=x onerror=alert(1)>\x07ok")
    page = client.get("/run/default/talker/console").text
    assert '<span class="ink-1">&lt;script&gt;alert(1)&lt;/script&gt;</span> &amp; ok' in page
    assert "<img src=x" not in page


def test_the_two_streams_are_told_apart(client: TestClient, run: Path) -> None:
    printed(run, "fine")
    printed(run, "trouble", mark=STDERR)
    page = client.get("/run/default/talker/console").text
    assert re.findall(r'<li class="on-(\w+)"', page) == ["stdout", "stderr"]


def test_one_stream_is_shown_alone_and_times_are_left_out(client: TestClient, run: Path) -> None:
    printed(run, "fine")
    printed(run, "trouble", "more trouble", mark=STDERR)
    page = client.get("/run/default/talker/console", params={"stream": "stderr", "times": "0"}).text
    assert shown(page) == ["trouble", "more trouble"]
    assert '<div class="console untimed"' in page
    assert shown(client.get("/run/default/talker/console?stream=stderr&q=MORE").text) == ["more trouble"]
    assert len(shown(client.get("/run/default/talker/console?stream=nonsense").text)) == 3


def test_lines_are_searched(client: TestClient, run: Path) -> None:
    printed(run, "epoch 1 loss", "epoch 2 LOSS", "something else")
    page = client.get("/run/default/talker/console", params={"q": "loss epoch"}).text
    assert shown(page) == ["epoch 1 loss", "epoch 2 LOSS"]
    assert "No line matches" in client.get("/run/default/talker/console?q=zzz").text


def test_each_rank_has_an_output_of_its_own(client: TestClient, run: Path) -> None:
    printed(run, "zero")
    printed(run, "three", rank=3)
    page = client.get("/run/default/talker/console").text
    assert shown(page) == ["zero"]
    assert 'href="?rank=3"' in page
    assert shown(client.get("/run/default/talker/console?rank=3").text) == ["three"]
    assert shown(client.get("/run/default/talker/console?rank=../../x").text) == ["zero"]


def test_a_very_long_line_is_cut(client: TestClient, run: Path) -> None:
    printed(run, "x" * 10_000)
    assert "8\u202f000 more characters" in client.get("/run/default/talker/console").text


def test_the_version_of_the_tab_changes_with_what_is_printed(client: TestClient, run: Path) -> None:
    printed(run, "one")
    before = client.get("/run/default/talker/version?tab=console").json()
    charts = client.get("/run/default/talker/version").json()
    printed(run, "two")
    assert client.get("/run/default/talker/version?tab=console").json() != before
    assert client.get("/run/default/talker/version").json() == charts
