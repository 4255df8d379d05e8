"""What the written shard does otherwise than the mapped one; what both do alike is in test_shard.py."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kohakuboard.journal.format import HEADER_BYTES
from kohakuboard.journal.scan import ShardCursor
from kohakuboard.journal.shard import RETRY_AFTER_S, Shard
from kohakuboard.journal.written import WrittenShard, open_shard

ROW_BYTES = 48


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[WrittenShard]:
    shard = WrittenShard(tmp_path / "journal", rank=0, host="here")
    yield shard
    shard.close()


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def open_segments(shard: Shard) -> list[str]:
    links = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return [link for link in links if link.startswith(str(shard.directory))]


def test_a_segment_has_what_was_written_and_no_more(shard: WrittenShard) -> None:
    shard.row(0, {"a": 1.0})
    (segment,) = shard.directory.glob("*.kbj")
    before = segment.stat().st_size
    assert before < HEADER_BYTES + 200
    shard.row(1, {"a": 2.0})
    assert segment.stat().st_size == before + ROW_BYTES


def test_half_a_record_on_a_full_disk_is_no_damage_and_costs_its_own_call_alone(
    shard: WrittenShard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(100):
        shard.row(step, {"a": 1.0})
    (segment,) = shard.directory.glob("*.kbj")
    with largest_file(segment.stat().st_size + ROW_BYTES // 2), pytest.raises(OSError, match="too large"):
        shard.row(100, {"a": 1.0})
    # For a second nobody asks the file system again.
    with pytest.raises(OSError, match="too large"):
        shard.row(101, {"a": 1.0})
    shard._retry_at -= RETRY_AFTER_S
    shard.row(102, {"a": 1.0})
    batch = ShardCursor(shard.directory).read()
    assert batch.columns["a"].steps.tolist() == [*range(100), 102]
    assert batch.damage == []


def test_one_segment_is_open_at_a_time_and_none_after_the_end(shard: WrittenShard) -> None:
    """A file that is deleted while it is open stays on an NFS server, and its directory with it."""
    row = {f"m{i}": 1.0 for i in range(1000)}
    for step in range(1000):
        shard.row(step, row)
    assert len(list(shard.directory.glob("*.kbj"))) > 2
    assert len(open_segments(shard)) == 1
    shard.close()
    assert open_segments(shard) == []


def test_the_way_is_chosen_by_word_or_by_file_system(tmp_path: Path) -> None:
    for way, kind in (("mapped", Shard), ("write", WrittenShard), (None, Shard)):
        shard = open_shard(tmp_path / "journal", rank=0, host="here", way=way)
        assert type(shard) is kind
        shard.close()
