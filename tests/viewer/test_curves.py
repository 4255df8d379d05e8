from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kohakuboard import Board
from kohakuboard.errors import MetricNotFoundError
from kohakuboard.reader import open_run
from kohakuboard_viewer.curves import Curves


def log_backwards(board: Board) -> None:
    for step in (30, 20, 10):
        board.log(step=step, loss=float(step))


def test_the_axes_of_a_curve(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", log_backwards))
    curves = Curves()
    times = run.series("loss").time.astype(np.int64)
    assert curves.curve(run, "loss", "step").x.tolist() == [10, 20, 30]
    assert curves.curve(run, "loss", "index").x.tolist() == [0, 1, 2]
    assert curves.curve(run, "loss", "wall").x.tolist() == times.tolist()
    relative = curves.curve(run, "loss", "relative").x
    assert np.diff(relative).tolist() == np.diff(times).tolist()
    assert 0 <= relative[0] < 60_000_000


def test_a_curve_is_kept_until_its_metric_has_more_points(root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        board.log(loss=1.0, acc=0.1)
        run, curves = open_run(board.path), Curves()
        loss, acc = curves.curve(run, "loss", "step"), curves.curve(run, "acc", "step")
        board.log(loss=2.0)
        run.refresh()
        assert len(curves.curve(run, "loss", "step")) == len(loss) + 1
        assert curves.curve(run, "acc", "step") is acc


def test_no_more_is_kept_than_the_limit(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", lambda board: [board.log(a=i, b=i) for i in range(1000)]))
    curves = Curves(limit_bytes=80_000)
    first = curves.curve(run, "a", "step")
    assert curves.curve(run, "a", "step") is first
    curves.curve(run, "b", "step")
    assert curves.curve(run, "a", "step") is not first


def test_another_name_is_no_metric(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", log_backwards))
    with pytest.raises(MetricNotFoundError, match="did you mean 'loss'"):
        Curves().curve(run, "los", "step")
