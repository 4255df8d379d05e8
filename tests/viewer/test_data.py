from __future__ import annotations

import csv
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard.reader import open_run
from kohakuboard_viewer import lines
from kohakuboard_viewer.columns import MEDIA_TYPE, decode

WriteRun = Callable[..., Path]


def url_of(path: Path) -> str:
    return f"/run/{path.parent.name}/{path.name}"


def log_loss(board: Board) -> None:
    for step in range(5000):
        board.log(step=step, loss=math.nan if step == 1234 else math.sin(step / 100) + 10 * (step == 4321))


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    return write_run("one", log_loss)


@pytest.fixture
def series(client: TestClient, run: Path) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    def fetch(**query: str | float) -> tuple[dict[str, Any], dict[str, Any]]:
        answer = client.get(f"{url_of(run)}/series", params={"metric": "loss", **query})
        assert answer.headers["content-type"] == MEDIA_TYPE
        return decode(answer.content)

    return fetch


def test_a_whole_series_comes_in_about_one_bucket_a_pixel(series: Callable[..., Any]) -> None:
    columns, header = series(width=400)
    assert 400 <= len(columns["mean"]) <= 801
    assert columns["high"].max() > 9
    assert columns["count"].sum() == 5000
    assert columns["nonfinite"].sum() == 1
    assert (header["points"], header["x_first"], header["x_last"]) == (5000, 0, 4999)
    assert header["live"] is False


def test_a_window_comes_exactly(series: Callable[..., Any], run: Path) -> None:
    columns, header = series(lo=4300, hi=4340, width=400)
    stored = open_run(run).series("loss")
    assert columns["x_lo"].tolist() == list(range(4299, 4342))
    np.testing.assert_array_equal(columns["mean"], stored.value[4299:4342])
    assert (header["lo"], header["hi"]) == (4300, 4340)


def test_times_are_in_seconds(series: Callable[..., Any], run: Path) -> None:
    times = open_run(run).series("loss").time.astype(np.int64) / 1e6
    columns, header = series(x="wall", width=8000)
    np.testing.assert_allclose(columns["x_lo"], times, rtol=0, atol=1e-6)
    middle = (header["x_first"] + header["x_last"]) / 2
    part, _ = series(x="wall", lo=middle, width=8000)
    assert len(part["x_lo"]) < 5000
    relative, _ = series(x="relative", width=8000)
    np.testing.assert_allclose(np.diff(relative["x_lo"]), np.diff(times), atol=1e-5)


def test_a_window_beside_the_curve_is_empty_but_for_a_neighbour(series: Callable[..., Any]) -> None:
    columns, header = series(lo=6000, hi=7000)
    assert columns["x_lo"].tolist() == [4999]
    assert (header["lo"], header["hi"]) == (6000, 7000)


def test_the_smoothed_line_comes_where_it_was_asked_for(series: Callable[..., Any]) -> None:
    assert "smooth" not in series()[0]
    assert np.ptp(series(smooth=0.99)[0]["smooth"]) < np.ptp(series()[0]["mean"])


@pytest.mark.parametrize(
    "query",
    [
        {"lo": "abc"},
        {"hi": "nan"},
        {"lo": "1e999"},
        {"width": "0"},
        {"width": "1000000"},
        {"smooth": "1"},
        {"smooth": "-0.5"},
        {"way": "median", "smooth": "0.5"},
    ],
)
def test_a_request_that_makes_no_sense_is_told_why(
    client: TestClient, run: Path, query: dict[str, str]
) -> None:
    answer = client.get(f"{url_of(run)}/series", params={"metric": "loss", **query})
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["error"]


def test_an_axis_that_is_no_metric_is_named(client: TestClient, run: Path) -> None:
    answer = client.get(f"{url_of(run)}/series?metric=loss&x=epoch")
    assert answer.status_code == 404
    assert "'epoch'" in answer.json()["error"]


@pytest.mark.parametrize(
    "query", [{"lo": "-1e300", "hi": "1e300"}, {"lo": "50", "hi": "3"}, {"x": "wall", "hi": "1e18"}]
)
def test_any_window_is_answered(client: TestClient, run: Path, query: dict[str, str]) -> None:
    assert client.get(f"{url_of(run)}/series", params={"metric": "loss", **query}).status_code == 200


@pytest.mark.parametrize("part", ["series", "sparkline.svg"])
def test_a_metric_that_is_not_there_is_named_with_its_neighbours(
    client: TestClient, run: Path, part: str
) -> None:
    answer = client.get(f"{url_of(run)}/{part}", params={"metric": "los"})
    assert answer.status_code == 404
    assert "did you mean 'loss'" in answer.json()["error"]


@pytest.mark.parametrize("part", ["series?metric=loss", "sparkline.svg?metric=loss", "version"])
def test_what_is_unchanged_costs_a_304(client: TestClient, run: Path, part: str) -> None:
    first = client.get(f"{url_of(run)}/{part}")
    again = client.get(f"{url_of(run)}/{part}", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    other = client.get(f"{url_of(run)}/{part}", headers={"if-none-match": '"something", "else"'})
    assert other.status_code == 200


def test_the_version_of_a_live_run_moves_with_it(client: TestClient, root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        board.log(loss=1.0)
        first = client.get(f"{url_of(board.path)}/version")
        board.log(loss=2.0)
        second = client.get(f"{url_of(board.path)}/version", headers={"if-none-match": first.headers["etag"]})
        _, header = decode(client.get(f"{url_of(board.path)}/series?metric=loss").content)
    ended = client.get(f"{url_of(board.path)}/version").json()
    assert first.json()["live"] is True
    assert second.status_code == 200
    assert second.json()["version"] != first.json()["version"]
    assert (header["points"], header["live"]) == (2, True)
    assert (ended["live"], ended["status"]) == (False, "finished")


def test_the_version_of_a_list_moves_with_its_runs(client: TestClient, write_run: WriteRun) -> None:
    first = client.get("/version").json()["version"]
    path = write_run("one", project="a")
    second = client.get("/version").json()["version"]
    assert first != second
    assert client.get("/version?project=b").json()["version"] == first
    assert client.get(f"/version?project={path.parent.name}").json()["version"] == second


def test_a_sparkline_has_the_size_that_was_asked_for(client: TestClient, run: Path) -> None:
    svg = client.get(f"{url_of(run)}/sparkline.svg?metric=loss&width=300&height=90").text
    assert svg.startswith("<svg")
    assert 'viewBox="0 0 300 90"' in svg


def log_both(offset: float) -> Callable[[Board], None]:
    def log(board: Board) -> None:
        for step in range(1000):
            board.log(step=step, loss=offset + step, acc=-step, epoch=step / 100)

    return log


def row(columns: dict[str, Any], name: str, curve: int) -> list[float]:
    places = len(columns["x_lo"])
    found: list[float] = columns[name][curve * places : (curve + 1) * places].tolist()
    return found


def test_curves_of_several_runs_and_metrics_come_in_one_answer_on_one_grid(
    client: TestClient, write_run: WriteRun
) -> None:
    # Their colours come from their ids, which so are always the same two.
    paths = [
        write_run(name, log_both(offset), run_id=f"run-{i}")
        for i, (name, offset) in enumerate((("one", 0.0), ("two", 0.5)))
    ]
    bare = write_run("bare")
    runs = [f"{path.parent.name}/{path.name}" for path in (*paths, bare)]
    answer = client.get("/series", params={"run": runs, "metric": ["loss", "acc"], "lo": 10, "hi": 19})
    columns, header = decode(answer.content)
    assert columns["x_lo"].tolist() == list(range(9, 21))
    assert row(columns, "mean", 0) == list(range(9, 21))
    assert row(columns, "mean", 2) == [step + 0.5 for step in range(9, 21)]
    assert row(columns, "high", 3) == [-step for step in range(9, 21)]
    assert [curve["label"] for curve in header["curves"]] == [
        "one · loss",
        "one · acc",
        "two · loss",
        "two · acc",
    ]
    assert header["missing"] == [runs[2]]
    again = client.get(answer.request.url, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304

    columns, header = decode(
        client.get("/series", params={"run": runs, "metric": "loss", "x": "epoch"}).content
    )
    assert (header["axis"], header["x_last"], len(header["curves"])) == ("metric", 9.99, 2)
    assert (
        header["curves"][0]["light"] != header["curves"][1]["light"]
        or header["curves"][0]["dash"] != (header["curves"][1]["dash"])
    )
    nowhere = client.get("/series", params={"run": runs[0], "metric": "loss", "x": "loss/never"})
    assert nowhere.status_code == 404


@pytest.mark.parametrize(
    "query", ["metric=loss", "run=one&metric=loss", "run=a/b&" + "&".join(f"metric={i}" for i in range(1001))]
)
def test_a_request_of_no_run_or_of_too_much_is_told_why(client: TestClient, query: str) -> None:
    answer = client.get(f"/series?{query}")
    assert answer.status_code == 400
    assert "run" in answer.json()["error"]


EARLIER = """
import sys
from kohakuboard import Board
with Board("one", base_dir=sys.argv[1], capture_output=False) as board:
    for step in range(10):
        board.log(step=step, loss=1.0)
print(board.id)
"""


def test_earlier_attempts_are_curves_of_their_own(client: TestClient, root: Path) -> None:
    command = [sys.executable, "-c", EARLIER, str(root)]
    run_id = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    with Board(base_dir=root, run_id=run_id, resume="must", capture_output=False) as board:
        for step in range(5, 12):
            board.log(step=step, loss=2.0)
    url = f"{url_of(board.path)}/series?metric=loss"
    assert len(decode(client.get(url).content)[1]["curves"]) == 1
    columns, header = decode(client.get(f"{url}&attempts=1").content)
    assert [curve["attempt"] for curve in header["curves"]] == [None, 1]
    assert row(columns, "mean", 0) == [1.0] * 5 + [2.0] * 7
    assert row(columns, "mean", 1)[:10] == [1.0] * 10


@pytest.mark.parametrize(
    ("values", "left_out", "dtype"),
    [
        ([0.1, 0.7, 0.25], {"count", "nonfinite"}, np.float32),
        ([0.1, float("nan"), 0.25], {"count"}, np.float32),
        ([1e8, 1e8 + 1, 1e8 + 3], {"count", "nonfinite"}, np.float64),
        ([1e6, 1e6 + 0.1, 1e6 + 0.2], {"count", "nonfinite"}, np.float64),
        ([float("nan")], {"count"}, np.float64),
    ],
)
def test_what_is_asked_for_in_brief_is_what_can_be_seen(
    client: TestClient, write_run: WriteRun, values: list[float], left_out: set[str], dtype: type
) -> None:
    def log(board: Board) -> None:
        for value in values:
            board.log(loss=value)

    url = f"{url_of(write_run('run', log))}/series?metric=loss"
    whole, brief = (decode(client.get(url + more).content)[0] for more in ("", "&brief=1"))
    assert set(whole) - set(brief) == left_out
    assert brief["mean"].dtype == dtype
    for name, column in brief.items():
        np.testing.assert_allclose(column, whole[name], rtol=1e-6)


def test_what_is_not_finite_is_saved_as_it_was_logged(client: TestClient, write_run: WriteRun) -> None:
    """All of it was nan."""

    def log(board: Board) -> None:
        for step, value in enumerate([1.0, math.inf, -math.inf, math.nan, 2.0]):
            board.log(step=step, loss=value)

    url = url_of(write_run("one", log))
    rows = list(csv.DictReader(client.get(f"{url}/series.csv?metric=loss").text.splitlines()))
    assert [row["value"] for row in rows] == ["1.0", "inf", "-inf", "nan", "2.0"]
    rows = list(csv.DictReader(client.get(f"{url}/series.csv?metric=loss&lo=2&hi=3").text.splitlines()))
    assert [row["value"] for row in rows] == ["-inf", "nan"]


def test_a_run_whose_points_are_lost_leaves_the_others_their_curves(
    client: TestClient, write_run: WriteRun
) -> None:
    paths = [
        write_run(name, log_constant(value)) for name, value in (("whole", 1.0), ("torn", 2.0), ("gone", 3.0))
    ]
    kept = paths[1].with_name("kept")
    shutil.copytree(paths[1] / "scalars", kept)
    shutil.rmtree(paths[1] / "scalars")
    shutil.rmtree(paths[2])
    whole, torn, gone = (f"{path.parent.name}/{path.name}" for path in paths)
    asked = {"metric": "loss", "run": [torn, whole, gone]}

    answer = client.get("/series", params=asked)
    _, header = decode(answer.content)
    assert [curve["run"] for curve in header["curves"]] == [whole]
    assert (header["damaged"], header["missing"]) == ([torn], [gone])
    assert "etag" not in answer.headers  # what comes when the files are back is no older than this
    assert client.get("/series.svg", params=asked).status_code == 200
    assert torn not in client.get("/series.csv", params=asked).text

    alone = client.get("/series", params={"metric": "loss", "run": torn})
    assert (alone.status_code, "cannot be read" in alone.json()["error"]) == (404, True)
    assert client.get("/series", params={"metric": "loss", "run": gone}).status_code == 404
    small = client.get(f"{url_of(paths[1])}/sparkline.svg?metric=loss")
    assert (small.status_code, "cannot be read" in small.text) == (200, True)

    shutil.copytree(kept, paths[1] / "scalars")
    _, header = decode(client.get("/series", params=asked).content)
    assert (len(header["curves"]), header["damaged"]) == (2, [])
    assert "cannot be read" not in client.get(small.request.url).text


def log_constant(value: float) -> Callable[[Board], None]:
    def log(board: Board) -> None:
        for step in range(5):
            board.log(step=step, loss=value)

    return log


def test_seeds_are_grouped_by_a_key_of_their_config(client: TestClient, write_run: WriteRun) -> None:
    values = {("a", 0.1): 1.0, ("b", 0.1): 3.0, ("c", 0.2): 7.0}
    for (name, lr), value in values.items():
        write_run(
            name,
            lambda board, value=value: [board.log(step=i, loss=value) for i in range(5)],
            config={"o": {"lr": lr}},
        )
    query = {"project": "default", "metric": "loss", "by": "o.lr", "band": "sem"}
    columns, header = decode(client.get("/series", params=query).content)
    assert sorted((curve["label"], curve["n"]) for curve in header["curves"]) == [
        ("o.lr = 0.1 (2)", 2),
        ("o.lr = 0.2 (1)", 1),
    ]
    one = [curve["n"] for curve in header["curves"]].index(2)
    assert row(columns, "mean", one) == [2.0] * 5
    assert row(columns, "low", one) == pytest.approx([1.0] * 5)
    assert row(columns, "mean", 1 - one) == row(columns, "high", 1 - one) == [7.0] * 5
    by_name = decode(client.get("/series", params={**query, "by": "name"}).content)[1]
    assert len(by_name["curves"]) == 3
    assert "o.lr = 0.1 (2)" in client.get("/series.csv", params=query).text
    assert client.get("/series", params={**query, "band": "most"}).status_code == 400
    assert client.get("/series", params={**query, "project": "none"}).status_code == 404


def test_a_mean_is_sent_whole_when_a_run_that_was_behind_catches_up(client: TestClient, root: Path) -> None:
    """A point at an x that another run has already leaves the number of places what it was."""
    with (
        Board("ahead", base_dir=root, capture_output=False) as ahead,
        Board("behind", base_dir=root, capture_output=False) as behind,
    ):
        for step in range(4):
            ahead.log(step=step, loss=1.0)
        behind.log(step=0, loss=3.0)
        url = f"/series?metric=loss&by=group&project={ahead.path.parent.name}"
        _, header = decode(client.get(url).content)
        behind.log(step=1, loss=3.0)
        found, told = decode(client.get(f"{url}&after=3&had=3&grid={header['grid']}").content)
        assert (told["kept"], row(found, "mean", 0)) == (0, [2.0, 2.0, 1.0, 1.0])


@pytest.mark.parametrize("quick_s", [0.0, 60.0])
def test_many_runs_are_drawn_in_order_however_quickly_they_are_read(
    client: TestClient, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch, quick_s: float
) -> None:
    """Slow ones are read several at a time."""
    monkeypatch.setattr(lines, "_QUICK_S", quick_s)
    paths = [write_run(f"run {value}", log_constant(float(value))) for value in range(12)]
    chosen = [("run", f"{path.parent.name}/{path.name}") for path in paths]
    columns, header = decode(client.get("/series", params=[*chosen, ("metric", "loss")]).content)
    assert [curve["label"] for curve in header["curves"]] == [f"run {value}" for value in range(12)]
    for value in range(12):
        assert row(columns, "mean", value) == [float(value)] * 5


def test_only_what_is_new_of_a_live_run_travels(client: TestClient, root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        url = f"{url_of(board.path)}/series?metric=loss&width=50"

        def log(first: int, last: int) -> None:
            for step in range(first, last):
                board.log(step=step, loss=float(step))

        log(0, 900)
        columns, header = decode(client.get(url).content)
        had, after = int(columns["count"][:-1].sum()), columns["x_lo"][-1]
        known = f"{url}&after={after}&had={had}&grid={header['grid']}"
        log(900, 950)
        more, told = decode(client.get(known).content)
        whole, _ = decode(client.get(url).content)
        assert (header["kept"], told["kept"]) == (0, len(columns["x_lo"]) - 1)
        assert len(more["x_lo"]) < 8
        for name, column in whole.items():
            np.testing.assert_array_equal(column, np.concatenate((columns[name][: told["kept"]], more[name])))

        board.log(step=5, loss=-1.0)  # before what is drawn
        assert decode(client.get(known).content)[1]["kept"] == 0
        log(951, 2000)  # and the buckets are twice as wide
        assert decode(client.get(known).content)[1]["kept"] == 0
