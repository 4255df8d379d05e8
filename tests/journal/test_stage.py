"""Bytes beside the segments: whatever their pieces are, they come back whole and in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.journal.filesystem import file_system
from kohakuboard.journal.stage import INLINE_BYTES, PIECE_BYTES, Stage, reserve_blocks


@pytest.mark.parametrize(
    "sizes",
    [
        [INLINE_BYTES + 1],
        [PIECE_BYTES, 1],
        [3, 2 * PIECE_BYTES + 5, 0, PIECE_BYTES - 1, 7],
        [40_000] * 60,
        [50] * 3000,  # more than the kernel takes at once
    ],
)
def test_pieces_of_any_size_are_staged_in_their_order(tmp_path: Path, sizes: list[int]) -> None:
    draw = np.random.default_rng(0)
    parts = [memoryview(draw.bytes(size)) for size in sizes]
    found = Stage(tmp_path).pieces(sum(sizes), [parts])
    assert Path(tmp_path, found["staged"]).read_bytes() == b"".join(parts)


def test_a_piece_is_written_before_the_next_is_asked_for(tmp_path: Path) -> None:
    """Whoever makes pieces may use one buffer for all of them."""
    buffer = np.empty(INLINE_BYTES, dtype=np.uint8)

    def pieces(n: int) -> Iterator[tuple[memoryview]]:
        for i in range(n):
            buffer.fill(i)
            yield (buffer.data,)

    stage = Stage(tmp_path)
    staged = stage.pieces(3 * INLINE_BYTES, pieces(3))["staged"]
    assert Path(tmp_path, staged).read_bytes() == b"".join(bytes([i]) * INLINE_BYTES for i in range(3))
    assert stage.pieces(INLINE_BYTES, pieces(1)) == {"data": bytes(INLINE_BYTES)}


def test_floats_are_written_as_they_lie(tmp_path: Path) -> None:
    arrays = [np.arange(20_000.0), np.arange(9, dtype=np.float16)]
    found = Stage(tmp_path).pieces(sum(array.nbytes for array in arrays), [arrays])
    assert Path(tmp_path, found["staged"]).read_bytes() == b"".join(array.tobytes() for array in arrays)


def test_a_file_with_its_blocks_is_empty_until_it_is_written(tmp_path: Path) -> None:
    """With its size, as posix_fallocate gives it, it was whole after a power cut, and full of zeros."""
    if file_system(tmp_path) not in ("ext4", "xfs"):
        pytest.skip("blocks are reserved on ext4 and XFS alone")
    looked_at: list[tuple[int, int]] = []

    def pieces() -> Iterator[list[memoryview]]:
        (file,) = tmp_path.iterdir()
        for _ in range(2):
            found = file.stat()
            looked_at.append((found.st_size, found.st_blocks * 512))
            yield [memoryview(bytes(PIECE_BYTES))]

    Stage(tmp_path).pieces(2 * PIECE_BYTES, pieces())
    assert [size for size, _ in looked_at] == [0, PIECE_BYTES]
    assert all(reserved >= 2 * PIECE_BYTES for _, reserved in looked_at)


def test_blocks_that_are_not_there_are_refused(tmp_path: Path) -> None:
    if file_system(tmp_path) not in ("ext4", "xfs"):
        pytest.skip("blocks are reserved on ext4 and XFS alone")
    with open(tmp_path / "file", "wb") as file, pytest.raises(OSError, match=r"too large|No space"):
        reserve_blocks(file.fileno(), 1 << 50)
    assert (tmp_path / "file").stat().st_blocks == 0
