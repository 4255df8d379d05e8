from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from kohakuboard import Board
from kohakuboard.errors import BoardClosedError
from kohakuboard.reader import open_run


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(base_dir=tmp_path, capture_output=False)


def test_alerts_are_read_live_and_when_the_run_has_ended_once_each_and_in_order(board: Board) -> None:
    for step in range(3):
        board.step()
        board.alert(f"alert {step}", "text", "error" if step else "info")
    live = open_run(board.path).alerts
    board.finish()
    ended = open_run(board.path).alerts
    assert ended == live
    assert [(one.step, one.level, one.title, one.text) for one in ended] == [
        (1, "info", "alert 0", "text"),
        (2, "error", "alert 1", "text"),
        (3, "error", "alert 2", "text"),
    ]


def test_a_title_that_was_used_a_moment_ago_can_be_left_out(board: Board) -> None:
    for _ in range(3):
        board.alert("again", wait_s=60)
        board.alert("and again")
        board.alert("other", wait_s=60)
    board.finish()
    titles = [alert.title for alert in open_run(board.path).alerts]
    assert titles == ["again", "and again", "other", "and again", "and again"]


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__
    __float__ = __str__


@pytest.mark.parametrize("value", [None, 7, b"\xff", "\ud800", Hostile(), ["a"], "x" * 1_000_000])
def test_anything_may_be_given_for_words(board: Board, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    board.alert(value, value, value, wait_s=value)
    board.log({"a": 1.0})
    board.finish()
    run = open_run(board.path)
    assert len(run.alerts) == 1
    assert run.alerts[0].level == "warning"
    assert len(run.alerts[0].title) <= 300
    assert len(run.series("a").step) == 1
    assert "level is one of info, warning, error" in caplog.text
    assert all(record.levelno <= logging.WARNING for record in caplog.records)


def _alert(board: Board) -> None:
    board.alert("from a child")


def test_a_child_alerts_as_well(board: Board) -> None:
    child = multiprocessing.get_context("spawn").Process(target=_alert, args=(board,))
    child.start()
    child.join()
    board.finish()
    assert [alert.title for alert in open_run(board.path).alerts] == ["from a child"]


def test_a_board_that_is_closed_alerts_no_more(board: Board) -> None:
    board.finish()
    with pytest.raises(BoardClosedError):
        board.alert("too late")
