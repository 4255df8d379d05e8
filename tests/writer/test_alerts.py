"""Alerts on their way to a webhook: a real server on this machine, in all the moods that servers have."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kohakuboard import Board
from kohakuboard.journal.webhook import read_webhook
from kohakuboard.reader import open_run
from kohakuboard.storage.alerts import StoredAlert
from kohakuboard.writer.alerts import message

RUN = {"project": "p", "run_id": "r-1", "name": "r"}
SECRET = "a-secret-of-ours"


class Inbox:
    """What a server got, and with which codes it is to answer; 200 where none are left."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.codes: list[int] = []
        self.hold = threading.Event()
        self.hold.set()
        self.url = ""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    found = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            found.hold.wait(20)
            code = found.codes.pop(0) if found.codes else 200
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/hooks/{SECRET}"
        try:
            yield found
        finally:
            found.hold.set()
            server.shutdown()
            thread.join()


def deliveries(path: Path) -> list[str | None]:
    with sqlite3.connect(path / "run.db") as connection:
        return [state for (state,) in connection.execute("SELECT delivery FROM alerts ORDER BY id")]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def board_at(tmp_path: Path, webhook: str) -> Board:
    return Board("r", project="p", base_dir=tmp_path, capture_output=False, webhook=webhook)


def test_alerts_come_in_order_and_their_address_is_nowhere_in_the_run(
    tmp_path: Path, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    board = board_at(tmp_path, inbox.url)
    for number in range(5):
        board.alert(f"alert {number}", "more", "warning")
    board.finish()
    assert [body["title"] for body in inbox.bodies] == [f"alert {number}" for number in range(5)]
    assert inbox.bodies[0] | {"time": 0} == {
        "title": "alert 0",
        "text": "more",
        "level": "warning",
        "step": 0,
        "time": 0,
        "run": {"id": board.id, "name": "r", "project": "p"},
    }
    assert deliveries(board.path) == ["sent"] * 5
    assert open_run(board.path).problems == []
    assert not [
        path for path in board.path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert SECRET not in "".join(capfd.readouterr())


def test_an_alert_is_sent_while_the_run_goes_on(tmp_path: Path, inbox: Inbox) -> None:
    board = board_at(tmp_path, inbox.url)
    board.alert("now")
    wait_for(lambda: inbox.bodies)
    assert open_run(board.path).status == "running"
    board.finish()
    assert deliveries(board.path) == ["sent"]


def test_a_server_that_fails_is_tried_again(tmp_path: Path, inbox: Inbox) -> None:
    inbox.codes = [500, 503]
    board = board_at(tmp_path, inbox.url)
    board.alert("heard at last")
    wait_for(lambda: len(inbox.bodies) == 3)
    board.finish()
    assert deliveries(board.path) == ["sent"]
    assert open_run(board.path).problems == []


@pytest.mark.parametrize("code", [404, 302])
def test_a_refusal_is_no_reason_to_try_again_and_is_told_once(
    tmp_path: Path, inbox: Inbox, code: int
) -> None:
    inbox.codes = [code, 403]
    board = board_at(tmp_path, inbox.url)
    board.alert("one")
    board.alert("two")
    board.finish()
    assert len(inbox.bodies) == 2
    assert deliveries(board.path) == ["failed", "failed"]
    assert open_run(board.path).problems == [
        f"alerts could not be sent to the webhook at 127.0.0.1: it answered {code}"
    ]


def test_nobody_at_the_address_costs_the_run_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    board = board_at(tmp_path, f"http://127.0.0.1:{port}/{SECRET}")
    for step in range(10):
        board.log({"loss": 1.0}, step=step)
    board.alert("nobody hears", level="error")
    board.finish()
    run = open_run(board.path)
    assert run.status == "finished"
    assert len(run.series("loss").step) == 10
    assert [alert.title for alert in run.alerts] == ["nobody hears"]
    assert deliveries(board.path) == ["failed"]
    (problem,) = run.problems
    assert problem.endswith("Connection refused")


def test_a_server_that_never_answers_keeps_neither_storing_nor_the_end_waiting(
    tmp_path: Path, inbox: Inbox
) -> None:
    inbox.hold.clear()
    board = board_at(tmp_path, inbox.url)
    board.alert("first")
    wait_for(lambda: inbox.bodies)
    board.log({"loss": 1.0}, step=0)
    board.alert("second")
    wait_for(lambda: open_run(board.path).metrics and len(deliveries(board.path)) == 2)
    # All but the writer's last seconds does not wait: the shard goes when everything is in its final form.
    ended = threading.Thread(target=board.finish)
    ended.start()
    wait_for(lambda: not (board.path / "journal").exists())
    assert deliveries(board.path) == ["waiting", "waiting"]
    assert open_run(board.path).status == "finished"
    ended.join()
    assert deliveries(board.path) == ["failed", "failed"]
    assert len(open_run(board.path).problems) == 1


def test_what_a_killed_writer_had_not_noted_is_sent_by_the_next(tmp_path: Path, inbox: Inbox) -> None:
    inbox.hold.clear()
    board = board_at(tmp_path, inbox.url)
    board.alert("once at least")
    wait_for(lambda: inbox.bodies)
    pid = board._supervisor.writer_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    inbox.hold.set()
    wait_for(lambda: len(inbox.bodies) == 2)
    board.finish()
    assert deliveries(board.path) == ["sent"]
    assert [alert.title for alert in open_run(board.path).alerts] == ["once at least"]


def test_of_a_storm_a_hundred_are_sent_and_all_are_stored(tmp_path: Path, inbox: Inbox) -> None:
    inbox.hold.clear()
    board = board_at(tmp_path, inbox.url)
    for number in range(150):
        board.alert(f"{number}")
    wait_for(lambda: deliveries_or_none(board.path).count("failed") == 50)
    inbox.hold.set()
    board.finish()
    assert deliveries(board.path) == ["sent"] * 100 + ["failed"] * 50
    assert len(open_run(board.path).alerts) == 150
    assert "more than 100 waited" in open_run(board.path).problems[0]


def deliveries_or_none(path: Path) -> list[str | None]:
    try:
        return deliveries(path)
    except sqlite3.Error:
        return []


def test_without_a_webhook_alerts_are_stored_alone(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path, capture_output=False)
    board.alert("quiet")
    board.finish()
    assert deliveries(board.path) == [None]


def test_slack_and_discord_get_what_they_take() -> None:
    alert = StoredAlert(1, 7, 0, "error", "loss <NaN> & @everyone", "x" * 9000)
    slack, discord = (read_webhook("webhook", f"{kind}+https://h/") for kind in ("slack", "discord"))
    assert slack is not None
    assert discord is not None
    (said,) = json.loads(message(slack, alert, RUN)).values()
    assert "loss &lt;NaN&gt; &amp; @everyone (r, step 7)" in said
    assert len(said) == 4000
    told = json.loads(message(discord, alert, RUN))
    assert len(told["content"]) == 2000
    assert told["allowed_mentions"] == {"parse": []}
