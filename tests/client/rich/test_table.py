"""What a Table is made of, and what it is refused for. What comes back of it is in tests/reader/rich/test_table.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from kohakuboard.client.rich import Histogram, Media, Table
from kohakuboard.client.rich.table import MOST_COLUMNS
from kohakuboard.errors import RichValueError
from kohakuboard.journal.stage import Stage, StagingError


def item_of(table: Table, folder: Path) -> dict[str, Any]:
    return table.to_item(Stage(folder))


def columns_of(table: Table, folder: Path) -> dict[str, list[Any]]:
    """Return what a table of one batch hands over."""
    item = item_of(table, folder)
    (batch,) = item["batches"]
    columns = (
        np.frombuffer(cells["data"], dtype=cells["dtype"]).tolist() if isinstance(cells, dict) else cells
        for cells in msgspec.msgpack.decode(batch["data"])
    )
    return dict(zip(item["columns"], columns, strict=True))


ABC = {"a": [1, 2, 3], "b": ["x", "y", "z"]}


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}], None),
        ([{"b": "x", "a": 1}, {"a": 2, "b": "y"}, {"a": 3, "b": "z", "c": 0}], ["a", "b"]),
        ([[1, "x"], [2, "y"], [3, "z"]], ["a", "b"]),
        (((1, "x"), (2, "y"), (3, "z")), ("a", "b")),
        (ABC, None),
        ({"b": ("x", "y", "z"), "c": [0, 0, 0], "a": np.array([1, 2, 3])}, ["a", "b"]),
        (pa.table(ABC), None),
        (pa.record_batch(ABC), ["a", "b"]),
    ],
)
def test_tables_of_every_form_are_one(data: Any, columns: Any, tmp_path: Path) -> None:
    assert columns_of(Table(data, columns), tmp_path) == ABC


def test_rows_of_an_array_are_taken_a_column_at_a_time(tmp_path: Path) -> None:
    table = Table(np.array([[1.5, 2.5], [3.5, np.inf]]), columns=["a", "b"])
    assert columns_of(table, tmp_path) == {"a": [1.5, 3.5], "b": [2.5, np.inf]}


def test_data_frames_are_recognised(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {**ABC, "f": [0.5, np.nan, 1], "when": pandas.to_datetime(["2026-01-02", None, "2026-01-03"])}
    )
    table = Table(frame.astype({"b": "category"}))
    assert item_of(table, tmp_path)["kinds"] == ["number", "text", "number", "datetime"]
    grouped = frame.groupby("b")[["a"]].mean()
    assert columns_of(Table(grouped), tmp_path) == {"b": ["x", "y", "z"], "a": [1, 2, 3]}
    missing = pandas.DataFrame({"i": pandas.array([1, None], dtype="Int64"), "t": ["x", None]})
    assert columns_of(Table(missing), tmp_path) == {"i": [1, None], "t": ["x", None]}


def test_polars_frames_are_recognised(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    assert columns_of(Table(polars.DataFrame(ABC)), tmp_path) == ABC


def test_a_table_is_what_its_data_were_when_it_was_made(tmp_path: Path) -> None:
    rows, nested, array = [[1, [2]]], [2], np.array([1])
    of_rows, of_dicts = Table(rows, columns=["a", "b"]), Table([{"n": nested}])
    of_arrays = Table({"a": array})
    rows[0][0] = rows[0][1] = 9
    nested.append(3)
    array += 8
    assert columns_of(of_rows, tmp_path) == {"a": [1], "b": [[2]]}
    assert columns_of(of_dicts, tmp_path) == {"n": [[2]]}
    assert columns_of(of_arrays, tmp_path) == {"a": [1]}


def test_a_large_table_is_handed_over_in_batches(tmp_path: Path) -> None:
    item = item_of(Table({"a": np.arange(1_000_000), "b": ["x" * 20] * 1_000_000}), tmp_path)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == len([batch for batch in item["batches"] if "staged" in batch])
    assert 10 < len(sizes) < 40
    assert max(sizes) < 4 << 20


class FullStage(Stage):
    """Have room for so many bytes."""

    left = 3 << 20

    def data(self, *parts: Any) -> dict[str, Any]:
        self.left -= sum(map(len, parts))
        if self.left < 0:
            raise StagingError("full")
        return super().data(*parts)


def test_a_table_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    picture = Media(np.zeros((300, 300)))
    with pytest.raises(StagingError):
        Table([{"picture": picture, "n": i} for i in range(2)] + [{"n": "x" * 90_000}] * 40).to_item(
            FullStage(tmp_path)
        )
    assert not list(tmp_path.iterdir())


class LazyRows(Mapping[str, int]):
    """Be a mapping that is no dict."""

    def __getitem__(self, key: str) -> int:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


def test_mappings_of_any_class_are_rows(tmp_path: Path) -> None:
    assert columns_of(Table([LazyRows(), {"a": 2}]), tmp_path) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("data", "columns", "words"),
    [
        ([[1, 2], [3]], ["a", "b"], "row 1 has 1 cells for 2 columns"),
        ([[1, 2]], ["a", "a"], "two columns 'a'"),
        ([{1: 0, "1": 0}], None, "two columns '1'"),
        ([[1, 2]], None, "columns="),
        ([{"a": 1}, [2]], None, "must be a dict"),
        ([{"a": 1}], ["b"], "no column 'b'; it has a"),
        ({"a": [1], "b": [1, 2]}, None, "'a' has 1 cells and 'b' 2"),
        ({"a": 1}, None, "column 'a' is a int"),
        ({"a": "text"}, None, "column 'a' is a str"),
        ({"a": np.array(3)}, None, "one value"),
        (({"a": i} for i in range(3)), None, "it cannot be read twice"),
        ("text", None, "pass a list"),
        (7, None, "pass a list"),
        (None, None, "pass a list"),
        (np.zeros((2, 2, 2)), ["a"], "(2, 2, 2)"),
        (np.zeros((2, 2)), None, "columns="),
        ([[0] * (MOST_COLUMNS + 1)], range(MOST_COLUMNS + 1), "can have 1000"),
        ([{"h": Histogram([1])}], None, "Media only"),
        ([{"picture": Media("no/such/file.png")}], None, "no file"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_words(data: Any, columns: Any, words: str, tmp_path: Path) -> None:
    table = Table(data, columns)
    with pytest.raises(RichValueError, match=r".*") as refused:
        item_of(table, tmp_path)
    assert words in str(refused.value)
    assert not list(tmp_path.iterdir())
