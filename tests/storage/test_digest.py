from __future__ import annotations

import math
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.journal.scan import Column
from kohakuboard.storage.catalogue import Catalogue
from kohakuboard.storage.digest import read_digest
from kohakuboard.storage.overview import CatalogueSnapshot, take_snapshot


def ended_run(directory: Path, config: object = 0.1) -> Path:
    """Return the run.db of an ended run, with a metric whose last value is no number."""
    directory.mkdir(parents=True, exist_ok=True)
    catalogue = Catalogue(directory / "run.db")
    with catalogue.transaction():
        catalogue.update_run(run_id="r", status="finished", started_us=1, ended_us=2)
        catalogue.set_values("config", {"lr": config, "nested": {"a": [1, None, "ü"]}})
        catalogue.add_tags(["t"])
        numbers = np.arange(3)
        catalogue.merge_metrics(
            {"loss": Column(numbers, numbers, numbers, np.array([1.0, 2.0, np.nan]))}, 0, 1
        )
    catalogue.close(single_file=True)
    return directory / "run.db"


def digest_of(run_db: Path) -> CatalogueSnapshot | None:
    return read_digest(str(run_db), os.listdir(run_db.parent))


def test_the_digest_of_an_ended_run_says_what_run_db_says(tmp_path: Path) -> None:
    path = ended_run(tmp_path)
    found = digest_of(path)
    with sqlite3.connect(path) as connection:
        expected = take_snapshot(connection)
    connection.close()
    assert found is not None
    assert math.isnan(found.metrics[0]["loss"].last)
    found.metrics = {rank: dict(metrics) for rank, metrics in found.metrics.items()}
    found.reaches = {rank: dict(reaches) for rank, reaches in found.reaches.items()}
    assert repr(found) == repr(expected), "repr, since nan is not equal to itself"


def test_a_copy_of_a_run_keeps_its_digest(tmp_path: Path) -> None:
    path = ended_run(tmp_path / "a")
    shutil.copytree(path.parent, tmp_path / "b", copy_function=shutil.copyfile)
    assert digest_of(tmp_path / "b" / "run.db") is not None


def change(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run SET notes = 'mine'")
    connection.close()


def change_in_memory(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("UPDATE run SET notes = 'mine'")
    connection.close()


def change_and_die(path: Path) -> None:
    """Leave a change in the write-ahead log alone."""
    beside = path.parent / "aside"
    beside.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE run SET notes = 'mine'")
    connection.commit()
    for name in ("run.db", "run.db-wal"):
        shutil.copyfile(path.with_name(name), beside / name)
    connection.close()
    for name in ("run.db", "run.db-wal"):
        shutil.move(beside / name, path.with_name(name))


def put_another_in_its_place(path: Path) -> None:
    shutil.copyfile(ended_run(path.parent / "other"), path)


def damage(path: Path) -> None:
    digest = path.with_suffix(".digest")
    digest.write_bytes(digest.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.with_suffix(".digest").write_bytes(b"\0" * 4096)


def resume(path: Path) -> None:
    Catalogue(path).close()


@pytest.mark.parametrize(
    "happening",
    [change, change_in_memory, change_and_die, put_another_in_its_place, damage, empty, resume, Path.unlink],
    ids=lambda happening: happening.__name__,
)
def test_a_digest_does_not_count_once_run_db_is_another(tmp_path: Path, happening: object) -> None:
    path = ended_run(tmp_path)
    digest = path.with_suffix(".digest").read_bytes()
    assert callable(happening)
    happening(path)
    assert digest_of(path) is None
    if happening is resume:  # and one that came back, by a copy that was made before, does not count either
        path.with_suffix(".digest").write_bytes(digest)
        assert digest_of(path) is None


def test_a_config_that_a_digest_cannot_hold_leaves_the_run_without_one(tmp_path: Path) -> None:
    path = ended_run(tmp_path, config=2**70)
    assert digest_of(path) is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.db"]
