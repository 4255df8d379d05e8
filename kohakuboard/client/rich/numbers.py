"""Take the numbers out of whatever holds them: arrays, tensors, sequences; no framework is imported for it.

Nothing is copied where that can be helped: the bytes that are written to the stage are those of the user's own array.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...errors import RichValueError
from ...journal.dtypes import BITS, numpy_dtype
from ...journal.stage import Stage
from ..plain import describe

__all__ = ["REAL", "Numbers", "is_sparse", "is_tensor", "numbers"]

REAL = "biuf"


class Numbers(NamedTuple):
    """Hold a NumPy array that may share its memory with the user's, and the name of the type of its numbers.

    The array holds the bits of those types that NumPy has not (see journal/dtypes.py); all other types are named as
    NumPy does.
    """

    array: Any
    dtype: str

    def item(self, stage: Stage, *headers: bytes) -> dict[str, Any]:
        """Return what stands for them in an item: dtype, shape, and the bytes, behind those of the headers."""
        data = stage.data(*headers, self.bytes())
        return {"dtype": self.dtype, "shape": list(self.array.shape), **data}

    def bytes(self) -> memoryview:
        """Return them in the order of their axes: where they lie, unless they lie otherwise."""
        import numpy as np

        view: memoryview = np.ascontiguousarray(self.array).reshape(-1).view(np.uint8).data
        return view


def numbers(kind: str, values: Any, kinds: str = REAL) -> Numbers:
    """Return the numbers in an array, a tensor on any device, or a sequence. Raises RichValueError for anything else.

    Args:
        kind: What is to be made of them, for words.
        values: What holds them.
        kinds: Which kinds of dtype will do, as NumPy abbreviates them.
    """
    try:
        found = _of_tensor(kind, values) if is_tensor(values) else _of_array(kind, values)
    except RichValueError:
        raise
    except Exception as exc:  # a user's own object may raise anything when it is read
        raise RichValueError(kind, values, f"it cannot be read ({describe(exc)})") from exc
    if found.dtype not in BITS and found.array.dtype.kind not in kinds:
        raise RichValueError(kind, values, f"its dtype is {found.array.dtype}; pass numbers")
    return found


def is_tensor(values: Any) -> bool:
    """Tell whether a value is a PyTorch tensor, or one in its manner."""
    return hasattr(values, "detach")


def is_sparse(values: Any) -> bool:
    """Tell whether a value is a tensor of which only some numbers are there."""
    return (getattr(values, "is_sparse", False) or getattr(values, "is_sparse_csr", False)) is True


def _of_tensor(kind: str, values: Any) -> Numbers:
    tensor = values.detach()
    if hasattr(tensor, "to_local"):  # of a DTensor, what this process has
        tensor = tensor.to_local()
    try:
        array = tensor.numpy()
    except (TypeError, RuntimeError):  # it is on a device, sparse, a view, or of a type that NumPy has not
        return _of_odd_tensor(kind, tensor)
    return Numbers(array, array.dtype.str)


def _of_odd_tensor(kind: str, tensor: Any) -> Numbers:
    if is_sparse(tensor) or "sparse" in str(getattr(tensor, "layout", "")):
        raise RichValueError(kind, tensor, "it is sparse; pass its values, or tensor.to_dense()")
    name = str(tensor.dtype).rpartition(".")[2]
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if name in BITS:
        import sys

        whole = {"|u1": "uint8", "<u2": "int16"}[BITS[name]]  # uint16 is unknown to older ones
        bits = tensor.contiguous().view(getattr(sys.modules["torch"], whole)).numpy()
        return Numbers(bits.view(numpy_dtype(name)), name)
    array = tensor.numpy()
    return Numbers(array, array.dtype.str)


def _of_array(kind: str, values: Any) -> Numbers:
    import numpy as np

    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as exc:
        raise RichValueError(kind, values, f"numpy cannot read it ({exc}); pass an array of numbers") from exc
    if array.dtype.name in BITS:  # of ml_dtypes
        return Numbers(array.view(numpy_dtype(array.dtype.name)), array.dtype.name)
    return Numbers(array, array.dtype.str)
