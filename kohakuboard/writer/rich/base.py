"""What the training process handed over raw: where its bytes lie, and what to make of those that cannot be used."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sqlite_utils import Database

from ...journal.dtypes import numpy_dtype, values_of
from ...journal.stage import STAGED_SUFFIX, has_hole

__all__ = [
    "Row",
    "UnreadableItemError",
    "array_of",
    "bits_of",
    "bytes_of",
    "readable",
    "staged_path",
    "values_in",
]


class Row(Protocol):
    """Be what an item becomes in run.db; its media bytes are stored by then."""

    def write(self, database: Database, place: Mapping[str, Any]) -> None:
        """Write it, in a transaction; `place` is shard, seq, step, time_us, name and position."""


class UnreadableItemError(Exception):
    """Say why a rich value that was logged cannot be stored; `is_lost` when its bytes are no longer there."""

    def __init__(self, text: str, *, is_lost: bool = False) -> None:
        super().__init__(text)
        self.is_lost = is_lost


class LostBytesError(ValueError):
    """Say that a staged file is not what it was when the record that names it was written."""


@contextmanager
def readable() -> Iterator[None]:
    """Turn whatever is wrong with one value into one error: the values beside it must not suffer.

    A staged file may have been cut short by a power cut, and a value may be one that no check foresaw.
    """
    try:
        yield
    except Exception as exc:
        is_lost = isinstance(exc, LostBytesError)
        raise UnreadableItemError(str(exc) or type(exc).__name__, is_lost=is_lost) from exc


def array_of(item: Mapping[str, Any], shard: Path) -> Any:
    """Return the array that `array_item` of client/rich packed; one that was staged stays on the disk."""
    if "data" in item or 0 in item["shape"]:
        return bits_of(item, shard)
    return np.memmap(
        staged_path(item, shard),
        dtype=numpy_dtype(item["dtype"]),
        mode="r",
        offset=int(item.get("offset", 0)),
        shape=tuple(item["shape"]),
    )


def bits_of(item: Mapping[str, Any], shard: Path) -> Any:
    """Return the array that was packed: of a type that NumPy has not, its bits."""
    dtype = numpy_dtype(item["dtype"])
    if "data" in item:
        return np.frombuffer(item["data"], dtype=dtype).reshape(item["shape"])
    path, offset = staged_path(item, shard), int(item.get("offset", 0))
    return np.fromfile(path, dtype, math.prod(item["shape"]), offset=offset).reshape(item["shape"])


def values_in(item: Mapping[str, Any], shard: Path) -> Any:
    """Return the numbers of an array that was packed."""
    return values_of(bits_of(item, shard), item["dtype"])


def staged_path(item: Mapping[str, Any], shard: Path) -> Path:
    """Return where bytes are staged. Raises LostBytesError where they are there no more, or not all of them."""
    name = str(item["staged"])
    if os.path.basename(name) != name or not name.endswith(STAGED_SUFFIX):
        raise ValueError(f"{name!r} is no staged file")
    path = Path(shard, name)
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise LostBytesError(f"its staged file {name} is gone") from None
    if found < item["staged_bytes"]:
        raise LostBytesError(f"{found} of {item['staged_bytes']} bytes are left of its staged file {name}")
    if not item.get("sparse") and has_hole(path):
        raise LostBytesError(f"not all bytes of its staged file {name} reached the disk")
    return path


def bytes_of(item: Mapping[str, Any], shard: Path) -> bytes:
    """Return what lies in a record, or staged beside it."""
    if "data" in item:
        return bytes(item["data"])
    return staged_path(item, shard).read_bytes()
