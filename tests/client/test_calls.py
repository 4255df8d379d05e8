"""Calls that are logged value by value: one that cannot be logged costs no other of its name, its call or its step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Media, Text
from kohakuboard.reader import open_run

PIXELS = np.zeros((4, 4, 3), dtype=np.uint8)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board("calls", base_dir=tmp_path, capture_output=False)
    yield board
    board.finish()


@pytest.mark.parametrize(
    ("values", "stored", "warning"),
    [
        (
            [Media(PIXELS), Media(np.zeros((2, 2, 9))), Media(PIXELS + 1)],
            [0, 2],
            "'samples'[1] was not logged",
        ),
        ((None, Media(PIXELS), 3.5), [1], "'samples'[0] and 1 more of 3 values were not logged"),
        ([Media("missing.png")] * 3, [], "'samples'[0] and 2 more of 3 values were not logged"),
        ([Media("missing.png")], [], "'samples'[0] was not logged"),
    ],
)
def test_of_several_values_the_good_ones_are_logged_at_their_places(
    board: Board, caplog: pytest.LogCaptureFixture, values: Any, stored: list[int], warning: str
) -> None:
    for step in (5, 6):
        board.log(samples=values, note=Text("beside"), loss=0.5, step=step)
    board.finish()
    run = open_run(board.path)
    (record,) = caplog.records
    assert record.getMessage().startswith(warning)
    found = [(one.step, one.position) for one in run.media("samples")] if stored else []
    assert found == [(step, place) for step in (5, 6) for place in stored]
    assert [one.step for one in run.text("note")] == [5, 6]
    assert run.series("loss").step.tolist() == [5, 6]
