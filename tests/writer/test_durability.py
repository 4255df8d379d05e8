"""What is synced when; that it is enough is shown with power cuts, in tests/reliability/test_power_loss.py."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohakuboard.journal.shard import Shard
from kohakuboard.writer import durability
from kohakuboard.writer.durability import JournalSync


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what the system is asked to bring to the disk."""
    names: list[str] = []

    def fsync(fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        names.append(f"{path.name}/" if path.is_dir() else path.name)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    shard = Shard(tmp_path / "project" / "run" / "journal", rank=0, host="here")
    yield shard
    shard.close()


def test_the_names_above_a_run_are_synced_once_and_its_last_segment_each_time(
    shard: Shard, synced: list[str], tmp_path: Path
) -> None:
    sync = JournalSync(tmp_path / "project" / "run", 1)
    sync.sync()
    assert synced[:3] == ["run/", "project/", f"{tmp_path.name}/"]
    assert synced[-3:] == ["00000001.kbj", f"{shard.directory.name}/", "journal/"]
    synced.clear()
    sync.sync()
    assert synced == ["00000001.kbj", f"{shard.directory.name}/"]


def test_full_segments_and_staged_files_are_synced_until_they_are_whole(
    shard: Shard, synced: list[str], tmp_path: Path
) -> None:
    sync = JournalSync(tmp_path / "project" / "run", 1)
    sync.sync()
    shard.stage.data(bytes(100_000))
    row = {f"m{i}": 1.0 for i in range(1000)}
    for step in range(200):
        shard.row(step, row)
    synced.clear()
    sync.sync()
    assert synced[:-1] == ["00000000.staged", "00000001.kbj", "00000002.kbj"]
    synced.clear()
    sync.sync()
    assert synced[:-1] == ["00000002.kbj"]


def test_a_staged_file_that_grew_while_it_was_synced_is_synced_again(
    shard: Shard, synced: list[str], tmp_path: Path
) -> None:
    """It was taken for done, and a power cut minutes later could still take its second half."""
    sync = JournalSync(tmp_path / "project" / "run", 1)
    sync.sync()

    def pieces() -> Iterator[list[memoryview]]:
        yield [memoryview(bytes(100_000))]
        synced.clear()
        sync.sync()
        assert "00000000.staged" in synced
        yield [memoryview(bytes(100_000))]

    shard.stage.pieces(200_000, pieces())
    for expected in (["00000000.staged", "00000001.kbj"], ["00000001.kbj"]):
        synced.clear()
        sync.sync()
        assert synced[:-1] == expected


def test_nothing_is_synced_while_nothing_is_logged_and_all_of_it_while_nobody_looks(
    shard: Shard, synced: list[str], tmp_path: Path
) -> None:
    with JournalSync(tmp_path / "project" / "run", 0.05) as sync:
        for _ in range(100):
            sync.note([])
            time.sleep(0.01)
        synced.clear()
        for _ in range(20):
            sync.note([])
            time.sleep(0.01)
        assert synced == []
        deadline = time.monotonic() + 30
        while "00000001.kbj" not in synced:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_shard_that_is_deleted_meanwhile_is_no_failure(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sync = JournalSync(tmp_path / "project" / "run", 1)
    monkeypatch.setattr(os, "fsync", lambda fd: shutil.rmtree(shard.directory, ignore_errors=True))
    sync.sync()
    assert not shard.directory.exists()
    assert caplog.messages == []


def test_what_cannot_be_synced_is_said_once(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with JournalSync(tmp_path / "project" / "run", 0.01):
        time.sleep(0.2)
    (message,) = caplog.messages
    assert "a power cut may cost more of it: [Errno 5]" in message


def test_a_segment_with_new_records_gets_the_time_of_now_and_once_more_a_second_later(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A store to a mapped page in memory changes no file time, so that rsync left such segments out."""
    (segment,) = shard.directory.glob("*.kbj")
    sync = JournalSync(tmp_path / "project" / "run", 1)

    def touched(grown: list[Path]) -> bool:
        os.utime(segment, (1e9, 1e9))
        sync.note(grown)
        return segment.stat().st_mtime > 1e9

    assert not touched([])
    assert touched([segment])
    assert touched([])
    monkeypatch.setattr(durability, "TOUCH_AGAIN_S", 0.0)
    assert touched([])
    assert not touched([])
