"""Turn what the training process handed over raw into what is stored, one module for each type of item.

Histograms go to Lance, many at a time. Each other item becomes a row of run.db, its media bytes being stored first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ...storage.media import MediaStore
from .base import Row, UnreadableItemError, readable
from .density import encode_density
from .histogram import Counted, histogram_of
from .media import encode_media
from .table import encode_table
from .tensor import encode_tensor
from .text import encode_text

__all__ = ["Counted", "Row", "UnreadableItemError", "encode", "histogram_of"]

Encoder = Callable[[Mapping[str, Any], Path, MediaStore], Row]

_ENCODERS: Final[dict[str, Encoder]] = {
    "density": encode_density,
    "media": encode_media,
    "table": encode_table,
    "tensor": encode_tensor,
    "text": encode_text,
}


def encode(item: Mapping[str, Any], shard: Path, media: MediaStore) -> Row:
    """Return the row of an item whose staged files lie in a shard's directory. Raises UnreadableItemError."""
    with readable():
        encoder = _ENCODERS.get(item["type"])
        if encoder is None:
            raise ValueError("this version of KohakuBoard does not know the type")
        return encoder(item, shard, media)
