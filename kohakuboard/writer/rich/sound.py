"""Write samples as WAV, which every browser plays.

samples    n × channels; floats of −1 … 1 become 16 bits, integers stay as they are
"""

from __future__ import annotations

import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from .base import array_of

__all__ = ["duration_of_wav", "write_wav"]

CUT: Final = "its samples go beyond -1 … 1 and were cut off there; scale floats to -1 … 1, or pass int16"
NO_NUMBERS: Final = "some of its samples are NaN or infinite; they are silent"
AT_ONCE: Final = 1 << 18


def write_wav(item: Mapping[str, Any], shard: Path, path: Path) -> tuple[float, str | None]:
    """Write the samples of an item; return how long they are in seconds, and what was wrong with them."""
    samples = array_of(item["samples"], shard)
    if item["samples"].get("layout") == "CN":
        samples = samples.T
    samples = samples.reshape(len(samples), -1)
    rate = int(item["sample_rate"])
    note = None
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2 if samples.dtype.kind == "f" else samples.dtype.itemsize)
        file.setframerate(rate)
        for start in range(0, len(samples), AT_ONCE):
            block = samples[start : start + AT_ONCE]
            if block.dtype.kind == "f":
                block, found = _integers(block)
                note = note or found
            file.writeframesraw(np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<")).tobytes())
    return len(samples) / rate, note


def _integers(block: Any) -> tuple[Any, str | None]:
    floats = block.astype(np.float32)
    finite = np.isfinite(floats)
    note = None
    if not finite.all():
        floats[~finite], note = 0, NO_NUMBERS
    elif len(floats) and np.abs(floats).max() > 1:
        note = CUT
    return np.round(np.clip(floats, -1, 1) * 32767).astype(np.int16), note


def duration_of_wav(path: Path) -> float | None:
    """Return how long a WAV file is in seconds; None for one of a form that only players know."""
    try:
        with wave.open(str(path), "rb") as file:
            return file.getnframes() / (file.getframerate() or 1)
    except (wave.Error, EOFError, OSError):
        return None
