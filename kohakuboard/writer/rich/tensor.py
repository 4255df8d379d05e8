"""Keep tensors as array files, and say what is in them."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...journal.dtypes import BITS, numpy_dtype, values_of
from ...storage.media import MediaStore
from ...storage.rich.tensors import TensorRow
from .base import bytes_of, staged_path

__all__ = ["encode_tensor"]

EXTENSION: Final = "npy"
BLOCK: Final = 1 << 16


class _Statistics(NamedTuple):
    """Hold what is known of the finite numbers of a tensor; None where there is none, and of complex ones."""

    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    n_nonfinite: int = 0


def encode_tensor(item: Mapping[str, Any], shard: Path, media: MediaStore) -> TensorRow:
    """Store an array file. One that is staged is mapped, and becomes the stored one where it lies."""
    given = item["values"]
    data = bytes_of(given, shard) if "data" in given else None
    path = staged_path(given, shard) if data is None else None
    array = np.load(path, mmap_mode="r") if path is not None else np.load(io.BytesIO(data or b""))
    name, shape = str(given["dtype"]), list(given["shape"])
    if array.dtype != numpy_dtype(name) or list(array.shape) != shape:
        raise ValueError(f"an array file of {array.dtype} {list(array.shape)} is none of {name} {shape}")
    found = _statistics(array.reshape(-1), name)
    return TensorRow(
        hash=media.put_file(path, EXTENSION) if path is not None else media.put(data or b"", EXTENSION),
        dtype=name if name in BITS else array.dtype.name,
        shape=shape,
        n_bytes=array.nbytes,
        **found._asdict(),
    )


def _statistics(array: NDArray[Any], dtype: str) -> _Statistics:
    """Go through an array twice: for the mean, and for how far the numbers are from it."""
    n_finite, total, low, high = 0, 0.0, math.inf, -math.inf
    for block in _finite_blocks(array, dtype):
        if block.size:
            n_finite += block.size
            total += float(block.sum())
            low, high = min(low, float(block.min())), max(high, float(block.max()))
    n_nonfinite = array.size - n_finite
    if not n_finite or array.dtype.kind == "c":
        return _Statistics(n_nonfinite=n_nonfinite)
    mean = total / n_finite
    squares = sum(float(np.square(block - mean).sum()) for block in _finite_blocks(array, dtype))
    return _Statistics(low, high, mean, math.sqrt(squares / n_finite), n_nonfinite)


def _finite_blocks(array: NDArray[Any], dtype: str) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(array), BLOCK):
        block = values_of(array[start : start + BLOCK], dtype)
        finite = block[np.isfinite(block)]
        with np.errstate(over="ignore"):  # of a longdouble
            yield np.abs(finite) if block.dtype.kind == "c" else finite.astype(np.float64)
