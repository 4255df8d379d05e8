"""Unpack texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...storage.media import MediaStore
from ...storage.rich.texts import TextRow
from .base import bytes_of

__all__ = ["encode_text"]


def encode_text(item: Mapping[str, Any], shard: Path, _media: MediaStore) -> TextRow:
    """Return a text and its format."""
    return TextRow(bytes_of(item["text"], shard).decode(), str(item["format"]))
