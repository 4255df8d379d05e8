from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kohakuboard.journal.segment import allocate


@pytest.fixture
def fd(tmp_path: Path) -> int:
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def refuse_to_allocate(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(fd: int, offset: int, size: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_blocks_cannot_be_allocated_zeros_are_written_in_full(
    fd: int, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Some file systems know no posix_fallocate, which ended logging; a short write left a file too short to map."""
    refuse_to_allocate(monkeypatch, code)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:300_000]))
    size = (3 << 20) + 8
    allocate(fd, size)
    monkeypatch.undo()
    assert os.fstat(fd).st_size == size
    assert os.pread(fd, size, 0) == bytes(size)
    os.close(fd)


def test_no_room_is_an_error_and_not_an_endless_loop(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write without progress was once taken for a whole one."""
    refuse_to_allocate(monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        allocate(fd, 1 << 20)
    refuse_to_allocate(monkeypatch, errno.EOPNOTSUPP)
    monkeypatch.setattr(os, "write", lambda fd, data: 0)
    with pytest.raises(OSError, match="No space"):
        allocate(fd, 1 << 20)
    os.close(fd)
