"""Artifacts on their way from the journal into a run, one process, step by step; and on a disk that is full."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohakuboard.client.artifacts import artifact_event
from kohakuboard.journal.parcel import MANIFEST
from kohakuboard.journal.shard import Shard
from kohakuboard.reader import open_run
from kohakuboard.storage.artifacts import StoredFile, content_digest
from kohakuboard.writer.drain import Drain
from tests.reliability.mounts import tmpfs
from tests.reliability.trainers import train
from tests.writer.test_drain import START


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "p" / "r"


@pytest.fixture
def shard(run: Path) -> Iterator[Shard]:
    """Return a shard of a run without any writer."""
    shard = Shard(run / "journal", rank=0, host=os.uname().nodename)
    shard.event(0, START)
    yield shard
    shard.close()


def log(shard: Shard, path: Path, *, reference: bool = False) -> Path:
    """Log an artifact as a board does; return its parcel."""
    run = shard.directory.parents[1]
    event = artifact_event(
        path,
        None,
        "x",
        (),
        None,
        reference=reference,
        run=run,
        stage=lambda: shard.stage,
        step=0,
        complain=lambda *_: None,
    )
    shard.event(0, event)
    return shard.directory / str(event["parcel"])


def drain(run: Path) -> None:
    found = Drain(run, "here")
    found.exhaust()
    found.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory of two files."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    (tmp_path / "data" / "b").write_text("bb")
    return tmp_path / "data"


def test_a_flush_repeated_after_a_crash_stores_an_artifact_once(run: Path, shard: Shard, data: Path) -> None:
    log(shard, data)
    drain(run)
    # As if the transaction had not come through: the files are in place, run.db does not know.
    with sqlite3.connect(run / "run.db") as connection:
        connection.execute("UPDATE shards SET committed_seq = -1")
        for table in ("artifacts", "artifact_files", "artifact_aliases"):
            connection.execute(f"DELETE FROM {table}")
    drain(run)
    drain(run)
    (version,) = open_run(run).artifacts
    assert [path.name for path in sorted(version.path.iterdir())] == ["a", "b"]
    with sqlite3.connect(run / "run.db") as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("artifacts", "artifact_files", "artifact_aliases")
        ]
    assert counts == [1, 2, 1]


def test_what_a_killed_writer_left_half_made_is_swept(run: Path, shard: Shard, data: Path) -> None:
    host = os.uname().nodename
    half = run / "artifacts" / f".0123.{host}.tmp"
    other = run / "artifacts" / ".0123.another-host.tmp"
    for directory in (half, other):
        directory.mkdir(parents=True)
    log(shard, data)
    drain(run)
    assert not half.exists()
    assert other.exists(), "the writer of another host may be at it now"
    assert len(open_run(run).artifacts) == 1


@pytest.mark.parametrize("harm", ["gone", "no manifest", "torn manifest", "short", "climbing", "doubled"])
def test_one_that_was_damaged_on_its_way_is_named_and_nothing_of_it_is_kept(
    run: Path, shard: Shard, data: Path, harm: str
) -> None:
    parcel = log(shard, data)
    manifest = parcel / MANIFEST
    if harm == "gone":
        shutil.rmtree(parcel)
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "torn manifest":
        manifest.write_bytes(manifest.read_bytes()[:20])
    elif harm == "short":
        (parcel / "1").write_text("b")
    else:
        found = json.loads(manifest.read_text())
        found["files"][1][0] = "../../../../climbed" if harm == "climbing" else "a"
        manifest.write_text(json.dumps(found))
    shard.row(1, {"after": 1.0})
    drain(run)
    reading = open_run(run)
    assert reading.artifacts == []
    (problem,) = reading.problems
    assert problem.startswith("artifact 'data' could not be stored: ")
    assert reading.series("after").step.tolist() == [1]
    assert not [path for path in (run / "artifacts").rglob("*") if path.is_file()]
    assert not list(run.parents[1].rglob("climbed"))


def test_a_reference_that_changed_before_it_was_read_is_named(run: Path, shard: Shard, data: Path) -> None:
    log(shard, data, reference=True)
    (data / "a").write_text("changed")
    drain(run)
    assert open_run(run).artifacts == []
    assert open_run(run).problems == [
        f"artifact 'data' could not be stored: {str(data / 'a')!r} has changed since it was logged"
    ]


def test_versions_share_the_files_that_are_the_same(run: Path, shard: Shard, data: Path) -> None:
    log(shard, data)
    drain(run)
    (data / "b").write_text("changed")
    log(shard, data)
    drain(run)
    first, second = open_run(run).artifacts
    assert (first.path / "a").samefile(second.path / "a")
    assert [(one.path / "b").read_text() for one in (first, second)] == ["bb", "changed"]


def test_a_stored_file_that_somebody_changed_is_not_taken_for_another(
    run: Path, shard: Shard, data: Path
) -> None:
    log(shard, data)
    drain(run)
    stored = open_run(run).artifacts[0].path / "a"
    stored.chmod(0o644)
    stored.write_text("x")
    (data / "b").write_text("changed")
    log(shard, data)
    drain(run)
    assert (open_run(run).artifacts[1].path / "a").read_text() == "a"


def test_a_damaged_neighbour_does_not_keep_a_run_from_its_numbers(
    run: Path, shard: Shard, data: Path
) -> None:
    neighbour = run.with_name("neighbour")
    (neighbour / "artifacts").mkdir(parents=True)
    (neighbour / "run.db").write_bytes(b"no database" * 1000)
    log(shard, data)
    drain(run)
    assert [one.version for one in open_run(run).artifacts] == [0]


def test_the_digest_is_of_names_and_contents() -> None:
    files = [StoredFile("a", 1, "1" * 64, 5), StoredFile("b", 1, "2" * 64, 6)]
    digest = content_digest(files)
    assert content_digest(files[::-1]) == digest
    assert content_digest([files[0], files[1]._replace(mtime_ns=7)]) == digest
    assert content_digest([files[0], files[1]._replace(path="c")]) != digest
    assert content_digest([files[0], files[1]._replace(sha256="3" * 64)]) != digest


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made the Linux way")
def test_on_a_full_disk_an_artifact_is_dropped_whole_and_counted(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", 24 << 20) as small:
        training = train(
            small,
            """
many = root.parent / "many"
many.mkdir()
for number in range(30):
    (many / str(number)).write_bytes(os.urandom(1 << 20))
burst(100)
board.log_artifact(many, "too much")
assert not list(board.path.glob("journal/*/*.artifact"))
burst(100)
for number in range(3, 30):
    (many / str(number)).unlink()
board.log_artifact(many, "little")
board.finish()
report()
""",
        )
        run = open_run(training.path)
        (version,) = run.artifacts
        assert (version.name, version.n_files) == ("little", 3)
        assert len(run.series("a").step) == 200
        assert run.status == "finished"
        assert run.problems[0].startswith("1 large value dropped")
