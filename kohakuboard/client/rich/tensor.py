"""Arrays as they are: Tensor."""

from __future__ import annotations

import io
from typing import Any

from ...journal.dtypes import numpy_dtype
from ...journal.stage import Stage
from .base import Rich
from .numbers import numbers

__all__ = ["Tensor"]


class Tensor(Rich):
    """Keep an array or tensor whole, with its dtype and shape.

    `values` is an array, tensor or sequence of numbers of any dtype, bool, complex, bfloat16 and float8 included. They
    are read when the tensor is logged, and stored as an array file of NumPy's, which is mapped when it is read.
    """

    def __init__(self, values: Any) -> None:
        self._values = values

    def _item(self, stage: Stage) -> dict[str, Any]:
        found = numbers("Tensor", self._values, "biufc")
        return {"type": "tensor", "values": found.item(stage, npy_header(found.dtype, found.array.shape))}


def npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return what an array file begins with: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""
    from numpy.lib import format as npy

    header = io.BytesIO()
    npy.write_array_header_1_0(
        header, {"descr": npy.dtype_to_descr(numpy_dtype(dtype)), "fortran_order": False, "shape": shape}
    )
    return header.getvalue()
