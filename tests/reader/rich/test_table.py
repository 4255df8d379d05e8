"""What comes back of a table: through a journal, a writer and run.db, as a run's reader sees it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kohakuboard.client.rich import Media, Table
from kohakuboard.errors import ColumnNotFoundError, MetricNotFoundError
from kohakuboard.reader import MediaEntry, Run, TableEntry
from tests.writer.rich.storing import stored

Logged = Callable[..., Run]


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    """Return what logs values under names, one dict a step, and opens the run once a writer has stored them."""
    return partial(stored, tmp_path / "run")


def read_back(logged: Logged, cells: list[Any]) -> tuple[str, list[Any]]:
    """Return the kind of a column, and its cells."""
    table = logged({"t": Table([{"c": cell} for cell in cells])}).table("t")
    return table.kinds[0], [row[0] for row in table.rows]


DAY, MOMENT = date(2026, 2, 3), datetime(2026, 2, 3, 4, 5, 6, 7)
SUMMER = datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("number", [1, -(2**63), 2**63 - 1, 0.1, math.inf, -math.inf]),
        ("number or none", [1, None, 2.5]),
        ("text", ["", "x", "été", "\0nul\0", None, "12"]),
        ("text", [None, None]),
        ("bool", [True, False, None]),
        ("date", [DAY, None]),
        ("datetime", [MOMENT, SUMMER, None]),
        ("duration", [timedelta(days=-3, microseconds=1), timedelta(0), None]),
        ("bytes", [b"\0\xff", b"", None]),
        ("json", [[1, {"a": None}], {}, {"deep": [[True, "x", 0.5]]}, None]),
        ("mixed", [1, "1", True, None, 2.5, DAY, MOMENT, timedelta(1), b"\xff", [1], {"a": 1}]),
    ],
)
def test_cells_come_back_as_they_were(logged: Logged, kind: str, cells: list[Any]) -> None:
    found, back = read_back(logged, cells)
    assert found == kind
    assert back == cells
    assert list(map(type, back)) == list(map(type, cells))


@pytest.mark.parametrize("others", [[1.5], [1.5, None], [1.5, "text"], [math.inf]])
def test_nan_is_neither_none_nor_lost(logged: Logged, others: list[Any]) -> None:
    """JSON has no NaN, and SQLite keeps it as NULL."""
    _, (first, *back) = read_back(logged, [math.nan, *others])
    assert math.isnan(first)
    assert back == others


def test_arrays_and_scalars_of_numpy_come_back_as_numbers_of_python(logged: Logged) -> None:
    when = np.array(["2026-01-01T10:00:00.5", "NaT"], dtype="datetime64[ns]")
    columns = {
        "f2": np.array([0.5, np.nan], dtype=np.float16),
        "u8": np.array([1, 2**64 - 1], dtype=np.uint64),
        "b": np.array([True, False]),
        "when": when,
        "day": when.astype("datetime64[D]"),
        "span": np.array([1500, "NaT"], dtype="timedelta64[ms]"),
        "text": np.array(["a", "bc"]),
        "pairs": np.array([[1, 2], [3, 4]]),
        "objects": np.array([1, None], dtype=object),
        "scalars": [np.float32(0.5), np.int8(3)],
        "times": [when[0], np.timedelta64(1, "s")],
        "zero-d": [np.array(2), np.bool_(True)],
        "strided": np.arange(4)[::2],
    }
    first, second = logged({"t": Table(columns)}).table("t").rows
    moment, second_of_time = datetime(2026, 1, 1, 10, 0, 0, 500_000), timedelta(seconds=1.5)
    assert first == [
        0.5, 1, True, moment, moment.date(), second_of_time, "a", [1, 2], 1, 0.5, moment, 2, 0
    ]  # fmt: skip
    assert math.isnan(second[0])
    assert second[1:] == [
        str(2**64 - 1), False, None, None, None, "bc", [3, 4], None, 3, timedelta(seconds=1), True, 2
    ]  # fmt: skip


def test_what_no_cell_can_hold_becomes_what_says_so(logged: Logged) -> None:
    around: list[Any] = []
    around.append(around)
    _, cells = read_back(logged, [2**70, "half \ud800", "x" * 200_000, around, print, {1: math.nan}])
    assert cells[:2] == [str(2**70), "half \\ud800"]
    assert cells[2].endswith("… (200000 characters)")
    assert len(cells[2]) == 100_000
    assert cells[3:] == [["<the list around it>"], "builtins.print", {"1": "nan"}]


def test_tensors_are_columns_and_cells(logged: Logged) -> None:
    torch = pytest.importorskip("torch")
    weights = torch.tensor([1.5, 2.5], dtype=torch.bfloat16, requires_grad=True)
    table = logged({"t": Table({"w": weights, "one": [torch.tensor(3), torch.tensor([1, 2])]})}).table("t")
    assert table.rows == [[1.5, 3], [2.5, [1, 2]]]


def test_pictures_in_cells_come_back_as_media(logged: Logged) -> None:
    large, small = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8), np.zeros((2, 2))
    rows = [{"picture": Media(large, caption="large"), "any": 1}, {"picture": None, "any": Media(small)}]
    run = logged({"t": Table(rows)})
    (picture, one), (none, other) = run.table("t").rows
    assert isinstance(picture, MediaEntry)
    assert isinstance(other, MediaEntry)
    assert (picture.caption, picture.name, picture.step, one, none) == ("large", "t", 0, 1, None)
    assert (np.asarray(Image.open(io.BytesIO(picture.read()))) == large).all()
    assert (other.width, other.height) == (2, 2)
    assert run.media() == []
    assert run.table("t").kinds == ["media", "mixed"]


def test_a_file_in_a_cell_that_got_lost_is_named_there(logged: Logged, tmp_path: Path) -> None:
    class Lost(Media):
        def _item(self, stage: Any) -> dict[str, Any]:
            return {**super()._item(stage), "pixels": {"dtype": "|u1", "shape": [9, 9], "data": b""}}

    assert "reshape" in logged({"t": Table([{"p": Lost(np.zeros((2, 2)))}])}).table("t").rows[0][0]


def test_every_table_of_every_step_is_kept(logged: Logged) -> None:
    run = logged(
        {"a": Table([{"x": 0}]), "b": [Table([{"x": 1, "y": 0}]), Table([{"z": 2}])]},
        {"a": Table([]), "empty": Table([], columns=["p", "q"])},
        {"a": Table([{"other": "x"}])},
    )
    listed = [(t.name, t.step, t.position, t.n_rows, t.columns) for t in run.tables()]
    assert listed == [
        ("a", 0, 0, 1, ["x"]),
        ("a", 1, 0, 0, []),
        ("a", 2, 0, 1, ["other"]),
        ("b", 0, 0, 1, ["x", "y"]),
        ("b", 0, 1, 1, ["z"]),
        ("empty", 1, 0, 0, ["p", "q"]),
    ]
    assert [t.step for t in run.tables("a")] == [0, 1, 2]
    assert run.table("a").rows == [["x"]]
    assert run.table("a", step=0).rows == [[0]]
    assert run.table("a", step=1).rows == []
    assert list(run.table("b", step=0)) == [{"z": 2}]
    with pytest.raises(MetricNotFoundError):
        run.table("a", step=7)


@pytest.fixture
def numbers(logged: Logged) -> TableEntry:
    """Return a table of 100 rows, behind another of as many columns."""
    rows = [{"n": i, "third": None if i % 3 else float(i), "text": f"row_{i}%"} for i in range(100)]
    return logged({"other": Table(rows[:7])}, {"t": Table(rows)}).table("t")


def test_a_page_is_read_from_where_it_begins(numbers: TableEntry) -> None:
    page = numbers.page(20, 10)
    assert page.numbers == list(range(20, 30))
    assert page.rows[1] == [21, 21.0, "row_21%"]
    assert (page.offset, page.n_rows, len(numbers)) == (20, 100, 100)
    assert numbers.page(95).numbers == [95, 96, 97, 98, 99]
    assert numbers.page(200).rows == numbers.page(limit=0).rows == []


def test_a_page_of_a_sorted_table_has_what_is_missing_last(numbers: TableEntry) -> None:
    assert numbers.page(0, 2, sort_by="third").numbers == [0, 3]
    assert numbers.page(0, 2, sort_by="third", descending=True).numbers == [99, 96]
    assert numbers.page(34, 2, sort_by="third", descending=True).numbers == [1, 2]
    assert numbers.page(0, 3, sort_by="text").numbers == [0, 1, 10]
    with pytest.raises(ColumnNotFoundError, match="'n', 'third', 'text'"):
        numbers.page(sort_by="no such")


def test_a_page_of_what_is_searched_for(numbers: TableEntry) -> None:
    page = numbers.page(1, 5, search="ROW_9", sort_by="n", descending=True)
    assert (page.numbers, page.n_rows) == ([98, 97, 96, 95, 94], 11)
    assert numbers.page(search="9%").n_rows == 10
    assert numbers.page(search="%9").n_rows == 0
    assert numbers.page(search="21.0").numbers == [21]


def test_a_table_is_queried_by_the_names_of_its_columns(logged: Logged) -> None:
    rows = [{"a b": i % 2, 'quo"te': i} for i in range(10)]
    run = logged({"t": Table(rows), "none": Table([], columns=["a"])})
    found = run.table("t").query('SELECT "a b", sum("quo""te"), max(row) FROM data GROUP BY 1')
    assert found == [(0, 20, 8), (1, 25, 9)]
    assert run.table("none").query("SELECT count(*) FROM data") == [(0,)]


def test_a_table_becomes_a_data_frame(logged: Logged) -> None:
    pytest.importorskip("pandas")
    frame = logged({"t": Table({"a": [1, 2], "b": ["x", None]})}).table("t").to_pandas()
    assert (list(frame.columns), frame["a"].tolist()) == (["a", "b"], [1, 2])
