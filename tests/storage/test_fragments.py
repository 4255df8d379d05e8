from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kohakuboard.storage.fragments import Part
from kohakuboard.storage.lance import LANCE_ERRORS, Dataset, new_session
from kohakuboard.storage.snapshot import Snapshot

SCHEMA = pa.schema([("x", pa.int64()), ("y", pa.list_(pa.float64()))])


def written(path: Path, *, fragments: int = 3) -> Dataset:
    """Return a dataset of fragments of four rows, whose x counts on from one to the next."""
    dataset = Dataset(path, SCHEMA)
    for number in range(fragments):
        xs = range(4 * number, 4 * number + 4)
        dataset.append(pa.table([list(xs), [[x / 2] * (x % 3) for x in xs]], schema=SCHEMA))
    return dataset


def test_all_rows_are_read_fragment_after_fragment(tmp_path: Path) -> None:
    part = written(tmp_path / "w.lance").part()
    assert part.read(["x"])["x"].to_pylist() == list(range(12))
    assert part.fragment_ids.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_columns_come_in_the_order_in_which_they_are_asked_for(tmp_path: Path) -> None:
    part = written(tmp_path / "w.lance").part()
    assert part.read(["y", "x"]).column_names == ["y", "x"]
    assert part.take(np.array([1]), ["y", "x"]).column_names == ["y", "x"]


def test_rows_are_taken_in_any_order_and_more_than_once(tmp_path: Path) -> None:
    part = written(tmp_path / "w.lance").part([0, 2])
    rows = np.array([5, 0, 7, 3, 5, 4])
    taken = part.take(rows, ["x", "y"])
    assert taken["x"].to_pylist() == [9, 0, 11, 3, 9, 8]
    assert taken["y"].to_pylist() == [[x / 2] * (x % 3) for x in (9, 0, 11, 3, 9, 8)]


@pytest.mark.parametrize(("begin", "n_rows"), [(0, 4), (4, 4), (5, 1), (8, 2), (9, 3), (11, 1)])
def test_rows_that_follow_each_other_are_read_at_once(tmp_path: Path, begin: int, n_rows: int) -> None:
    found = written(tmp_path / "w.lance").part().stretch(begin, n_rows, ["y", "x"])
    assert found["x"].to_pylist() == list(range(begin, begin + n_rows))
    assert found["y"].to_pylist() == [[x / 2] * (x % 3) for x in range(begin, begin + n_rows)]


def test_a_snapshot_takes_the_same_rows_in_whichever_way(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "w.lance", SCHEMA)
    sizes = (30, 3, 50)
    for begin, size in zip((0, 30, 33), sizes, strict=True):
        xs = range(begin, begin + size)
        dataset.append(pa.table([list(xs), [[x / 2] * (x % 5) for x in xs]], schema=SCHEMA))
    snapshot = Snapshot(tmp_path / "w.lance", ["x"], new_session)
    assert snapshot.refresh()
    assert len(snapshot.keys()) == sum(sizes)
    stretches = [np.arange(begin, end) for begin, end in ((0, 30), (2, 29), (33, 83), (40, 80), (10, 60))]
    for rows in [*stretches, np.arange(0, 40, 2), np.arange(29, 0, -1), np.array([5])]:
        taken = snapshot.take(rows, ["y"])
        assert taken.column_names == ["y"]
        expected = [[x / 2] * (x % 5) for x in rows.tolist()]
        assert taken["y"].to_pylist() == expected
        items = [item for each in expected for item in each]
        assert snapshot.floats(rows, "y", len(items)).tolist() == items
    with pytest.raises(OSError, match="items, not 1000"):
        snapshot.floats(np.arange(0, 30), "y", 1000)


@pytest.mark.parametrize("name", ["run", "100% #1 of ünï'code %20", "a?b*[c]"])
def test_a_part_is_read_whatever_the_directory_is_called(tmp_path: Path, name: str) -> None:
    assert written(tmp_path / name / "w.lance").part([1]).read(["x"])["x"].to_pylist() == [4, 5, 6, 7]


@pytest.mark.parametrize("size", [None, 0, 10, 400])
def test_a_file_that_is_gone_or_cut_short_is_told_as_lance_tells_it(tmp_path: Path, size: int | None) -> None:
    path = tmp_path / "w.lance"
    part: Part = written(path, fragments=1).part()
    [file] = (path / "data").iterdir()
    content = file.read_bytes()
    file.unlink()
    if size is not None:
        file.write_bytes(content[:size])
    with pytest.raises(LANCE_ERRORS):
        part.read(["x", "y"])
