from __future__ import annotations

from pathlib import Path

import pytest

from kohakuboard.journal.room import LEAST_LIMIT_BYTES, Room


def test_room_below_the_limit_is_claimed_without_a_look_and_comes_back_with_one(tmp_path: Path) -> None:
    room = Room(tmp_path, 1000)
    file = tmp_path / "segment"
    for _ in range(3):
        room.take(300)
        file.write_bytes(bytes(900))
    with pytest.raises(
        OSError, match=r"its writer has not stored the 0 MB that it holds, and the limit is 0 MB"
    ):
        room.take(300)
    file.write_bytes(bytes(100))
    room.take(900)
    with pytest.raises(OSError, match="has not stored"):
        room.take(901)


def test_segments_become_smaller_but_never_too_small_for_their_record(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert list(room.sizes(4 << 20, 100, first=True)) == [4 << 20, 1 << 20, 256 << 10]
    assert list(room.sizes(1 << 20, 100, first=True)) == [1 << 20, 256 << 10]
    assert list(room.sizes(4 << 20, 2 << 20, first=True)) == [4 << 20, 2 << 20]
    assert list(room.sizes(4 << 20, 9 << 20, first=True)) == [9 << 20]
    assert list(room.sizes(2048, 100, first=True)) == [2048]


def test_with_the_least_limit_a_full_segment_and_its_successor_fit(tmp_path: Path) -> None:
    room = Room(tmp_path, LEAST_LIMIT_BYTES)
    (tmp_path / "full").write_bytes(bytes(4 << 20))
    room.take(4 << 20)
