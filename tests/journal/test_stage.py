"""Bytes beside the segments: whatever their pieces are, they come back whole and in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.journal.stage import INLINE_BYTES, PIECE_BYTES, Stage


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
    parts = [draw.bytes(size) for size in sizes]
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
