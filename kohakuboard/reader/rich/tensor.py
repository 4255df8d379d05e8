"""Tensors that were logged: what is known of them, and their numbers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...journal.dtypes import values_of
from ..rows import Rows

__all__ = ["TensorEntry", "tensor_entries"]

EXTENSION: Final = "npy"


class TensorEntry(NamedTuple):
    """Describe a tensor logged at a step.

    `dtype` is its type by name, `n_bytes` what its numbers take; `min`, `max`, `mean` and `std` are those of its finite
    numbers, None where there is none and of complex ones.
    """

    run: Path
    name: str
    step: int
    time: np.datetime64  # µs, UTC
    position: int
    dtype: str
    shape: tuple[int, ...]
    n_bytes: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    n_nonfinite: int
    hash: str

    def read(self) -> NDArray[Any]:
        """Return it as it is stored: of a type that NumPy has not, such as bfloat16, the bits as integers.

        A file, which it is beyond 256 KiB, is mapped, so that only what is looked at is read; smaller ones are in
        memory. Either cannot be written to. Raises FileNotFoundError when the run has lost it.
        """
        from ...storage.media import media_path, read_media

        path = media_path(self.run, self.hash, EXTENSION)
        if path.is_file():
            mapped: NDArray[Any] = np.load(path, mmap_mode="r")
            return mapped
        data = read_media(self.run, self.hash, EXTENSION)
        if data is None:
            raise FileNotFoundError(f"the tensor {self.hash}.{EXTENSION} is missing from {self.run}")
        array: NDArray[Any] = np.load(io.BytesIO(data))
        array.setflags(write=False)
        return array

    def array(self) -> NDArray[Any]:
        """Return its numbers: what `read` does, and of a type that NumPy has not, float32."""
        numbers: NDArray[Any] = values_of(self.read(), self.dtype)
        return numbers


def tensor_entries(run: Path, rows: Rows, name: str | None) -> list[TensorEntry]:
    """Return the tensors of one name, or of all, by step."""
    query = (
        "SELECT shard, name, step, time_us, position, dtype, shape, n_bytes, min, max, mean, std, n_nonfinite, hash "
        "FROM tensors WHERE ?1 IS NULL OR name = ?1 ORDER BY name, step, seq, position"
    )
    return [
        TensorEntry(
            run,
            found_name,
            step,
            np.datetime64(time_us, "us"),
            position,
            dtype,
            tuple(json.loads(shape)),
            *known,
        )
        for _, found_name, step, time_us, position, dtype, shape, *known in rows.shown(query, [name])
    ]
