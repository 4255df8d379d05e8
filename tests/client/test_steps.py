"""The step of a board: counted, moved, or given with a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kohakuboard import Board
from kohakuboard.errors import InvalidStepError
from tests.client.boards import finished, steps


def test_without_step_the_step_counts_the_calls(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for i in range(4):
        board.log(a=i)
    assert steps(finished(board), "a") == [0, 1, 2, 3]


def test_all_calls_between_two_steps_share_one(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for i in range(3):
        board.log(a=i)
        board.log({"b": i})
        board.step()
    run = finished(board)
    # The first two calls came before anybody spoke of steps, so each was a step of its own.
    assert steps(run, "a") == [0, 2, 3]
    assert steps(run, "b") == [1, 2, 3]


def test_step_moves_by_n_from_zero(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for i in range(3):
        board.step(10)
        board.log(a=i)
        board.log(b=i)
    run = finished(board)
    assert steps(run, "a") == steps(run, "b") == [10, 20, 30]


def test_given_steps_may_come_in_any_order_and_counting_goes_on_behind_the_highest(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for step in (5, 3, 3, None, np.int64(7), -(2**63), 2**62):
        board.log({"a": 1.0}, step=step)
    assert steps(finished(board), "a") == [5, 3, 3, 6, 7, -(2**63), 2**62]


def test_a_step_that_is_no_integer_costs_a_warning_and_not_the_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(base_dir=tmp_path)
    board.log({"a": 1.0}, step=4)
    for step in (2.0, "seven", 2.5, 2**64):
        board.log({"a": 1.0}, step=step)  # type: ignore[arg-type]
    with pytest.raises(InvalidStepError, match="'x'"):
        board.step("x")  # type: ignore[arg-type]
    assert steps(finished(board), "a") == [4, 2, 5, 6, 7]
    assert "'seven'" in caplog.text


def test_only_a_valid_step_moves_the_count_and_none_overflows(tmp_path: Path) -> None:
    """A step of 2.5 or np.float32(3) made every later call without a step a refused one, np.int8(127) wrapped to
    -128, and step(2**70) made finish() raise struct.error."""
    board = Board(base_dir=tmp_path)
    for step in (
        2.5,
        None,
        np.float32(3.0),
        None,
        np.int8(127),
        None,
        HostileStep(),
        None,
        2**63 - 2,
        None,
        None,
    ):
        board.log({"a": 1.0}, step=step)  # type: ignore[arg-type]
    board.step(2**70)
    board.log(b=1.0)
    board.step(-(2**70))
    board.log(b=1.0)
    run = finished(board)
    last = 2**63 - 1
    assert steps(run, "a") == [0, 1, 3, 4, 127, 128, 129, 130, last - 1, last, last]
    assert steps(run, "b") == [last, -(2**63)]
    assert run.status == "finished"


class HostileStep:
    def __index__(self) -> int:
        raise RuntimeError("no step today")

    __int__ = __index__
