from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kohakuboard import Board
from kohakuboard.errors import MetricNotFoundError
from kohakuboard.reader import Run, open_run
from kohakuboard_viewer.axes import axis_of_metric, plain_axis
from kohakuboard_viewer.curves import Curves, Line
from kohakuboard_viewer.reduce import Curve


def log_backwards(board: Board) -> None:
    for step in (30, 20, 10):
        board.log(step=step, loss=float(step))


def curve_of(curves: Curves, run: Run, metric: str, axis: str) -> Curve:
    found = curves.curve(run, Line(run.path, metric), plain_axis(axis))
    assert found is not None
    return found


def test_the_axes_of_a_curve(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", log_backwards))
    curves = Curves()
    times = run.series("loss").time.astype(np.int64)
    assert curve_of(curves, run, "loss", "step").x.tolist() == [10, 20, 30]
    assert curve_of(curves, run, "loss", "index").x.tolist() == [0, 1, 2]
    assert curve_of(curves, run, "loss", "wall").x.tolist() == times.tolist()
    relative = curve_of(curves, run, "loss", "relative").x
    assert np.diff(relative).tolist() == np.diff(times).tolist()
    assert 0 <= relative[0] < 60_000_000


def test_a_curve_is_kept_until_its_metric_has_more_points(root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        board.log(loss=1.0, acc=0.1)
        run, curves = open_run(board.path), Curves()
        loss, acc = curve_of(curves, run, "loss", "step"), curve_of(curves, run, "acc", "step")
        board.log(loss=2.0)
        run.refresh()
        assert len(curve_of(curves, run, "loss", "step")) == len(loss) + 1
        assert curve_of(curves, run, "acc", "step") is acc


def test_no_more_is_kept_than_the_limit(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", lambda board: [board.log(a=i, b=i) for i in range(1000)]))
    curves = Curves(limit_bytes=12_000)
    first = curve_of(curves, run, "a", "step")
    assert curve_of(curves, run, "a", "step") is first
    curve_of(curves, run, "b", "step")
    assert curve_of(curves, run, "a", "step") is not first


def test_another_name_is_no_metric(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", log_backwards))
    with pytest.raises(MetricNotFoundError, match="did you mean 'loss'"):
        curve_of(Curves(), run, "los", "step")


def log_epochs(board: Board) -> None:
    for step in range(1000):
        board.log(step=step, loss=float(step), epoch=step / 300)
        if step % 100 == 99:
            board.log(step=step, **{"val/loss": float(step), "epoch": step / 300})
        board.log(step=step, lr=0.1)


def test_a_metric_is_the_axis_of_what_the_same_calls_logged(write_run: Callable[..., Path]) -> None:
    run = open_run(write_run("one", log_epochs))
    curves, axis = Curves(), axis_of_metric("epoch", [run.metrics["epoch"]])
    val = curves.curve(run, Line(run.path, "val/loss"), axis)
    assert val is not None
    assert val.values.tolist() == list(range(99, 1000, 100))
    np.testing.assert_allclose(val.x / axis.unit, np.arange(99, 1000, 100) / 300, rtol=1e-15)
    loss = curves.curve(run, Line(run.path, "loss"), axis)
    assert loss is not None
    assert loss.values.tolist() == list(range(1000))
    assert curves.curve(run, Line(run.path, "lr"), axis) is None


def test_the_places_on_the_axis_of_a_metric_are_exact_however_small_or_large(
    write_run: Callable[..., Path],
) -> None:
    for scale in (1e-250, 0.1, 1e300):
        run = open_run(
            write_run("one", lambda board, scale=scale: [board.log(x=i * scale, y=i) for i in range(9)])
        )
        axis = axis_of_metric("x", [run.metrics["x"]])
        curve = Curves().curve(run, Line(run.path, "y"), axis)
        assert curve is not None
        np.testing.assert_allclose(curve.x / axis.unit, np.arange(9) * scale, rtol=1e-15)
