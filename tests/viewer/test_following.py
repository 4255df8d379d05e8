"""Charts of a run that is being logged: what is asked for again and again is what a server says that sees it first."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from kohakuboard.reader import Run, open_run
from kohakuboard_viewer.app import create_app
from kohakuboard_viewer.axes import plain_axis
from kohakuboard_viewer.columns import decode
from kohakuboard_viewer.curves import Curves, Line
from tests.reader.lives import Happening, Life, happenings

# Charts of few pixels are cut out of kept levels from few points on.
LOOK = st.tuples(
    st.just("look"),
    st.fixed_dictionaries(
        {
            "x": st.sampled_from(["step", "step", "step", "index", "relative", "wall", "eval"]),
            "width": st.sampled_from([1, 2, 3, 500]),
            "metric": st.sampled_from(["loss", "loss", "loss", "eval"]),
        },
        optional={
            "lo": st.integers(-10, 300),
            "smooth": st.just(0.5),
            "attempts": st.just(1),
        },
    ),
    st.sampled_from(["series", "series", "series.csv"]),
)

LIVE = """
import sys
from kohakuboard import Board

board = Board("live", project="p", base_dir=sys.argv[1], run_id="r", capture_output=False)
steps = iter(range(10**9))
for line in sys.stdin:
    for _ in range(int(line)):
        step = next(steps)
        loss = float("nan") if step % 9 == 8 else step / 7
        board.log({"loss": loss, **{f"m{i}": step + i for i in range(100)}}, step=step)
    print(flush=True)
board.finish()
"""


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(happenings(LOOK))
def test_a_run_that_is_followed_is_shown_as_by_a_server_that_sees_it_first(history: list[Happening]) -> None:
    with (
        TemporaryDirectory() as folder,
        Life(Path(folder) / "p" / "r") as life,
        TestClient(create_app(Path(folder))) as client,
    ):
        for what, *how in history:
            if what != "look":
                if what == "attempt":  # that a summary counts what is hidden is found out when that is stored
                    life.happen("flush")
                life.happen(what, *how)
                continue
            query, page = how
            url = f"/run/p/r/{page}"
            with TestClient(create_app(Path(folder))) as first:
                expected = first.get(url, params=query)
            found = client.get(url, params=query)
            assert (found.status_code, found.content) == (expected.status_code, expected.content)


def test_an_earlier_attempt_that_goes_on_is_drawn_with_what_is_hidden_of_it(tmp_path: Path) -> None:
    """What is shown of the metric was the same as before, and the attempt's curve was kept as it was."""
    url = "/run/p/r/series?metric=loss&attempts=1"
    with Life(tmp_path / "p" / "r") as life, TestClient(create_app(tmp_path)) as client:
        life.happen("attempt", None)
        life.happen("log of an old shard", "loss", 1, 0)
        life.happen("log of an old shard", "loss", 0, 0)
        assert decode(client.get(url).content)[1]["x_last"] == 0
        life.happen("log of an old shard", "loss", 0, 170)
        assert decode(client.get(url).content)[1]["x_last"] == 170


@contextmanager
def logging_program(root: Path) -> Iterator[Any]:
    """Run a program that logs as many calls as it is told to; gives what tells it and waits for that."""
    command = [sys.executable, "-c", LIVE, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        stdin, stdout = program.stdin, program.stdout

        def log(calls: int) -> None:
            stdin.write(f"{calls}\n")
            stdin.flush()
            stdout.readline()

        yield log
        stdin.close()
        assert program.wait(60) == 0


def test_a_board_of_another_process_is_followed_point_by_point(tmp_path: Path) -> None:
    """Beside a writer that flushes and merges when it likes."""
    query, logged, asked = {"metric": "loss", "width": 16}, 0, 0
    commits: set[str] = set()
    deadline = time.monotonic() + 90  # of a busy machine; it ends as soon as it has seen enough
    with logging_program(tmp_path) as log, TestClient(create_app(tmp_path)) as client:
        while len(commits) < 5 and time.monotonic() < deadline:
            calls = 1500 if asked % 3 == 0 else 1
            log(calls)
            logged, asked = logged + calls, asked + 1
            columns, header = decode(client.get("/run/p/r/series", params=query).content)
            assert (header["points"], header["x_last"]) == (logged, logged - 1)
            assert columns["nonfinite"].sum() == logged // 9
            commits |= {path.name for path in tmp_path.glob("p/r/scalars/*/data/*.lance")}
        assert len(commits) >= 5, "too little was committed while the test looked"
        found = client.get("/run/p/r/series", params=query)
        with TestClient(create_app(tmp_path)) as first:
            assert first.get("/run/p/r/series", params=query).content == found.content
    with TestClient(create_app(tmp_path)) as first:
        text = first.get("/run/p/r/series.csv", params=query).text
    values = [line.rsplit(",", 1)[1] for line in text.splitlines()[1:]]
    expected = [float("nan") if step % 9 == 8 else step / 7 for step in range(logged)]
    np.testing.assert_array_equal(np.array(values, float), expected)


class Reads:
    """Count what is read of a run as a whole."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole: list[str] = []
        for name in ("by_step", "series"):
            monkeypatch.setattr(Run, name, self._counting(getattr(Run, name)))

    def _counting(self, read: Any) -> Any:
        def counted(run: Run, name: str, **which: Any) -> Any:
            self.whole.append(name)
            return read(run, name, **which)

        return counted


@pytest.mark.parametrize("axis", ["step", "index", "relative", "wall"])
def test_a_series_is_read_as_a_whole_only_once(
    tmp_path: Path, axis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 500, 1)
        run, curves, reads = open_run(life.run), Curves(), Reads(monkeypatch)
        line, found = Line(run.path, "loss"), []
        for what in (("flush",), ("merge",), ("flush",)) * 3:
            life.happen("log", "loss", 2, 1)
            life.happen(*what)
            run.refresh()
            curve = curves.curve(run, line, plain_axis(axis))
            assert curve is not None
            found.append(curve)
        assert [len(curve) for curve in found] == list(range(502, 520, 2))
        assert len(reads.whole) == 1
        whole = Curves().curve(run, line, plain_axis(axis))
    assert whole is not None
    assert found[-1].x.tolist() == whole.x.tolist()
    assert found[-1].values.tobytes() == whole.values.tobytes()


def test_the_memory_of_curves_that_grow_is_counted(tmp_path: Path) -> None:
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 2000, 1)
        run, curves = open_run(life.run), Curves(limit_bytes=60_000)
        lines = [Line(run.path, "loss", None, attempt) for attempt in (None, 1)]
        lengths, numbers = [], []
        for _ in range(60):
            life.happen("log", "loss", 50, 1)
            run.refresh()
            found = [curves.curve(run, line, plain_axis("step")) for line in lines]
            lengths.append([len(curve) for curve in found if curve is not None])
            held = [curve for _, curve, _ in curves._kept.values()]
            numbers.append(len(held))
            assert curves._total == sum(curves._sizes.values()) == sum(curve.nbytes for curve in held)
            assert curves._total <= 60_000
    assert lengths == [[n, n] for n in range(2050, 5001, 50)]
    assert (numbers[0], numbers[-1]) == (2, 1)  # in the end two of them take more than the limit
