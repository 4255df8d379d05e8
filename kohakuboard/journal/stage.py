"""Put large arrays and files beside the segments of a shard, and find them again.

A staged file is whole before the record that names it is appended; one without a record is litter of a crash.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any, Final

__all__ = ["INLINE_BYTES", "STAGED_SUFFIX", "Stage"]

INLINE_BYTES: Final = 64 * 1024
STAGED_SUFFIX: Final = ".staged"


class Stage:
    """Put large bytes and files into a shard's directory, out of the way of the segments."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def data(self, data: bytes | memoryview) -> dict[str, Any]:
        """Return what stands for the bytes in a record: themselves, or the name of a staged file."""
        if len(data) <= INLINE_BYTES:
            return {"data": bytes(data)}
        path = self._next_path()
        try:
            path.write_bytes(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return {"staged": path.name}

    def file(self, source: Path) -> dict[str, Any]:
        """Copy a file aside, so that what the user does to it later changes nothing."""
        path = self._next_path()
        try:
            shutil.copyfile(source, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return {"staged": path.name}

    def _next_path(self) -> Path:
        return self._directory / f"{next(self._numbers):08d}{STAGED_SUFFIX}"
