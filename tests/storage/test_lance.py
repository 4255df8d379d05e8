from __future__ import annotations

import errno
import resource
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest

from kohakuboard.storage.lance import LANCE_ERRORS, Dataset
from kohakuboard.storage.repair import manifest_name, newest_whole, versions

SCHEMA = pa.schema([pa.field("x", pa.int64(), nullable=False)])


def table(*values: int) -> pa.Table:
    return pa.table([pa.array(values, pa.int64())], schema=SCHEMA)


def contents(path: Path) -> list[int]:
    rows: list[int] = lance.dataset(path).to_table()["x"].to_pylist()
    return rows


def filled(path: Path, n: int) -> Path:
    dataset = Dataset(path, SCHEMA)
    for number in range(n):
        dataset.append(table(number))
    dataset.close()
    return path


def newest_manifest(path: Path) -> Path:
    return path / "_versions" / manifest_name(versions(path)[0])


@pytest.mark.parametrize("name", ["run", "100% #1 of ünï'code %20", "a?b*[c]"])
def test_what_is_appended_is_there_whatever_the_directory_is_called(tmp_path: Path, name: str) -> None:
    path = filled(tmp_path / name / "w.lance", 3)
    assert contents(path) == [0, 1, 2]
    assert Dataset(path, SCHEMA).fragment_ids == [0, 1, 2]


def test_one_fragment_takes_the_place_of_several(tmp_path: Path) -> None:
    dataset = Dataset(filled(tmp_path / "w.lance", 4), SCHEMA)
    assert dataset.replace([0, 2], [table(0, 2)]) == 4
    assert dataset.fragment_ids == [1, 3, 4]
    assert dataset.part([4]).read(["x"])["x"].to_pylist() == [0, 2]
    assert sorted(contents(tmp_path / "w.lance")) == [0, 1, 2, 3]


def test_half_written_files_and_orphans_are_swept_when_it_is_opened(tmp_path: Path) -> None:
    path = filled(tmp_path / "w.lance", 3)
    whole = sorted(path.rglob("*"))
    for leaving in (
        "data/.tmp_7f3",
        "data/orphan.lance",
        "_transactions/.tmp_1",
        "_versions/.tmp_2",
        f"_versions/{manifest_name(4)}#1",
    ):
        (path / leaving).write_bytes(b"half")
    dataset = Dataset(path, SCHEMA)
    assert sorted(path.rglob("*")) == whole
    dataset.append(table(3))
    assert contents(path) == [0, 1, 2, 3]


def test_a_writer_killed_before_its_first_commit_leaves_a_dataset_that_works(tmp_path: Path) -> None:
    path = tmp_path / "w.lance"
    (path / "data").mkdir(parents=True)
    (path / "data" / "orphan.lance").write_bytes(b"half")
    assert contents(filled(path, 2)) == [0, 1]


@pytest.mark.parametrize("keep", [0, 40])
def test_a_torn_newest_manifest_is_set_aside_and_the_one_before_it_opens(tmp_path: Path, keep: int) -> None:
    """A power cut left manifests of no bytes, which made the whole dataset unreadable."""
    path = filled(tmp_path / "w.lance", 3)
    torn = newest_manifest(path)
    torn.write_bytes(torn.read_bytes()[:keep])
    dataset = Dataset(path, SCHEMA)
    assert dataset.part().read(["x"])["x"].to_pylist() == [0, 1]
    assert [file.name for file in (path / "_quarantine").iterdir()] == [f"{torn.name}.broken-1"]
    assert len(list((path / "data").iterdir())) == 3, "what the torn manifest named is not deleted"
    dataset.append(table(7))
    assert contents(path) == [0, 1, 7]


@pytest.mark.parametrize("size", [None, 10])
def test_a_manifest_whose_data_file_is_lost_or_short_is_set_aside(tmp_path: Path, size: int | None) -> None:
    path = filled(tmp_path / "w.lance", 3)
    [data_file] = lance.dataset(path).get_fragments()[-1].metadata.files
    file = path / "data" / data_file.path
    content = file.read_bytes()
    file.unlink()
    if size is not None:
        file.write_bytes(content[:size])
    assert Dataset(path, SCHEMA).part().read(["x"])["x"].to_pylist() == [0, 1]


def test_a_dataset_without_one_whole_version_is_set_aside_as_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path / "w.lance", 2)
    for version in versions(path):
        (path / "_versions" / manifest_name(version)).write_bytes(b"")
    assert newest_whole(path) is None
    assert contents(filled(path, 1)) == [0]
    assert len(list((tmp_path / "w.lance.broken-1" / "data").iterdir())) == 2


def test_nothing_is_set_aside_because_this_process_cannot_open_files(tmp_path: Path) -> None:
    path = filled(tmp_path / "w.lance", 2)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            newest_whole(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert contents(path) == [0, 1]


class Commit:
    """Stand at the seam to Lance and fail: once, before or after the commit was made."""

    def __init__(self, *, after: bool) -> None:
        self.failures = 0
        self._after = after

    def __call__(self, *args: Any, **options: Any) -> lance.LanceDataset:
        if self.failures:
            return lance.LanceDataset.commit(*args, **options)
        self.failures += 1
        if self._after:
            lance.LanceDataset.commit(*args, **options)
        raise OSError(errno.EIO, "the answer was lost")


def failing_after_first(path: Path, *, after: bool) -> tuple[Dataset, Commit]:
    filled(path, 1)
    commit = Commit(after=after)
    return Dataset(path, SCHEMA, commit=commit), commit


def test_a_commit_that_succeeded_and_said_otherwise_is_not_made_again(tmp_path: Path) -> None:
    """Committing the same fragment twice doubles its rows without a word."""
    dataset, commit = failing_after_first(tmp_path / "w.lance", after=True)
    assert dataset.append(table(5)) == 1
    assert commit.failures == 1
    dataset.append(table(6))
    assert contents(tmp_path / "w.lance") == [0, 5, 6]


def test_a_commit_that_failed_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "w.lance"
    dataset, _ = failing_after_first(path, after=False)
    with pytest.raises(OSError, match="the answer was lost"):
        dataset.append(table(5))
    assert len(list((path / "data").iterdir())) == 1
    dataset.append(table(5))
    assert contents(path) == [0, 5]


@pytest.mark.parametrize("after", [True, False])
def test_the_very_first_commit_may_fail_too(tmp_path: Path, after: bool) -> None:
    dataset = Dataset(tmp_path / "w.lance", SCHEMA, commit=Commit(after=after))
    if after:
        dataset.append(table(5))
    else:
        with pytest.raises(OSError, match="the answer was lost"):
            dataset.append(table(5))
        dataset.append(table(5))
    assert contents(tmp_path / "w.lance") == [5]


def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "w.lance", 2)
    dataset = Dataset(path, SCHEMA)
    large = table(*np.random.default_rng(0).integers(0, 2**62, 20_000).tolist())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        for _ in range(3):
            with pytest.raises(LANCE_ERRORS):
                dataset.append(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(list((path / "data").iterdir())) == 2
    dataset.append(table(2))
    assert contents(path) == [0, 1, 2]


def test_it_works_where_there_are_no_hard_links(tmp_path: Path) -> None:
    """exFAT and many network mounts have none, and Lance publishes versions with them."""

    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "w.lance"
    dataset = Dataset(path, SCHEMA, link=refuse)
    for number in range(3):
        dataset.append(table(number))
    dataset.replace([0, 1], [table(0, 1)])
    assert sorted(contents(path)) == [0, 1, 2]
    assert not list(path.rglob("*.tmp*"))


def test_old_versions_go_and_the_newest_stays(tmp_path: Path) -> None:
    path = tmp_path / "w.lance"
    dataset = Dataset(path, SCHEMA, retention_s=0)
    for number in range(5):
        dataset.append(table(number))
    dataset.replace([0, 1, 2, 3, 4], [table(0, 1, 2, 3, 4)])
    dataset.clean()
    assert versions(path) == [6]
    assert len(list((path / "data").iterdir())) == 1
    dataset.append(table(5))
    assert contents(path) == [0, 1, 2, 3, 4, 5]


def test_versions_within_the_retention_stay(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "w.lance", SCHEMA, retention_s=3600)
    for number in range(3):
        dataset.append(table(number))
    dataset.clean()
    dataset.close()
    Dataset(tmp_path / "w.lance", SCHEMA, retention_s=3600)
    assert versions(tmp_path / "w.lance") == [3, 2, 1]
