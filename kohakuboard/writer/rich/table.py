"""Unpack the rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ...storage.media import MediaStore
from ...storage.rich.tables import TableRow
from .base import bytes_of

__all__ = ["encode_table"]


def encode_table(item: Mapping[str, Any], shard: Path, _media: MediaStore) -> TableRow:
    """Return the columns and rows of a table."""
    return TableRow(
        item["columns"], msgspec.msgpack.decode(bytes_of(item["rows"], shard), type=list[list[Any]])
    )
