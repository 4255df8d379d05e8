"""The types of numbers that NumPy has not: they travel, and are stored, as the integers of their bits.

    bfloat16          the upper half of a float32
    float8_e5m2       the upper half of a float16
    float8_e4m3fn     4 bits of exponent, 3 of mantissa, no infinity; its NaN is all ones
    float8_…fnuz      no infinity and no -0, whose bits are NaN; a bias greater by one

See https://arxiv.org/abs/2209.05433 and https://arxiv.org/abs/2206.02915.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["BITS", "numpy_dtype", "values_of"]

# The dtype of the bits, by the name that torch and ml_dtypes give the type.
BITS: Final = {
    "bfloat16": "<u2",
    "float8_e4m3fn": "|u1",
    "float8_e4m3fnuz": "|u1",
    "float8_e5m2": "|u1",
    "float8_e5m2fnuz": "|u1",
}
# Bits of the mantissa, and what is subtracted from the exponent.
_FLOAT8: Final = {"float8_e4m3fn": (3, 7), "float8_e4m3fnuz": (3, 8), "float8_e5m2fnuz": (2, 16)}


def numpy_dtype(name: str) -> Any:
    """Return the NumPy dtype that arrays of a type have on the way, and where they are stored."""
    import numpy as np

    return np.dtype(BITS.get(name, name))


def values_of(bits: Any, name: str) -> Any:
    """Return the numbers of an array: itself, or float32 of a type that NumPy has not."""
    import numpy as np

    if name not in BITS:
        return bits
    if name == "bfloat16":
        return (bits.astype(np.uint32) << 16).view(np.float32)
    if name == "float8_e5m2":
        return (bits.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    return _float8_table(name)[bits]


def _float8_table(name: str) -> Any:
    """Return the 256 values of a type."""
    import numpy as np

    width, bias = _FLOAT8[name]
    bits = np.arange(256)
    exponent, mantissa = (bits & 0x7F) >> width, bits & ((1 << width) - 1)
    fraction = mantissa / (1 << width) + (exponent > 0)
    table = np.ldexp(fraction, np.maximum(exponent, 1) - bias) * np.where(bits & 0x80, -1, 1)
    table[[0x80] if name.endswith("fnuz") else [0x7F, 0xFF]] = np.nan
    return table.astype(np.float32)
