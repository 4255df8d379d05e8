"""Count histograms where the values are: on a GPU, in one pass over all tensors that are given.

    tensors -> chunks of CHUNK values, each with the number of its tensor
    chunks  -> lowest and highest finite value of each tensor
    chunks  -> counts of each tensor, and of its NaN, +inf and -inf
    one small array -> the host, behind the work that makes it: nobody waits here

A value that lies within the rounding of an edge may be counted in the bin next to it: a GPU rounds in its own way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ...errors import RichValueError
from ...journal.bins import Bins

__all__ = ["DeviceCounts", "count_on_device", "is_elsewhere"]

# Values that are worked on at once: about 200 MB of the device's memory.
CHUNK: Final = 1 << 22
# Behind the bins: NaN, +inf, -inf, and what lies beyond a range that was given.
APART: Final = 4


def is_elsewhere(values: Any) -> bool:
    """Tell whether a value is a dense tensor of real numbers on a device of its own."""
    if getattr(values, "is_cpu", True) or getattr(values, "is_meta", False) or "torch" not in sys.modules:
        return False
    if not isinstance(values, sys.modules["torch"].Tensor):
        return False
    return not values.is_complex() and "strided" in str(values.layout)


class DeviceCounts:
    """Stand for the histograms of T tensors, on their way to the host."""

    def __init__(self, host: Any, event: Any, bins: int) -> None:
        self._host, self._event, self._bins = host, event, bins
        self._found: list[Bins] | None = None

    def wait(self) -> list[Bins]:
        """Return a histogram of each tensor, when they are there."""
        if self._found is None:
            if self._event is not None:
                self._event.synchronize()  # sleeps, and gives away Python's global lock
            self._found = _unpacked(self._host.numpy(), self._bins)
        return self._found


def count_on_device(
    tensors: Sequence[Any], bins: int, span: tuple[float, float] | None = None
) -> DeviceCounts:
    """Count tensors of one device, each into equal bins over its own finite values, or over a span."""
    torch = sys.modules["torch"]
    if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
        reason = "a CUDA graph is being captured, which computes nothing yet; log it after a replay"
        raise RichValueError("Histogram", tensors[0], reason)
    with torch.no_grad():
        flat = [_local(tensor).reshape(-1) for tensor in tensors]
        device = flat[0].device
        wide = torch.float32 if device.type == "mps" else torch.float64
        low, high = _edges(torch, flat, wide, span)
        counts = torch.zeros(len(flat) * (bins + APART), dtype=torch.int64, device=device)
        for ids, values in _chunks(torch, flat, wide):
            counts.scatter_add_(0, _slots(torch, ids, values, low, high, bins), torch.ones_like(ids))
        edges = torch.stack([low, high], dim=1)
        table = counts.reshape(len(flat), bins + APART)
        # A count is below 2**53, and exact as a float64; on a device that has none, both go by themselves.
        if wide is torch.float64:
            return DeviceCounts(*_to_host(torch, torch.cat([edges, table.to(wide)], dim=1)), bins)
        whole = torch.cat([edges.cpu().double(), table.cpu().double()], dim=1)
        return DeviceCounts(whole, None, bins)


def _local(tensor: Any) -> Any:
    tensor = tensor.detach()
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def _chunks(torch: Any, flat: Sequence[Any], wide: Any) -> Iterator[tuple[Any, Any]]:
    """Yield values, and for each the number of its tensor, at most CHUNK at once."""
    parts: list[tuple[int, Any]] = []
    room = CHUNK
    for number, tensor in enumerate(flat):
        for piece in tensor.split(CHUNK):
            if piece.numel() > room and parts:
                yield _joined(torch, parts, wide)
                parts, room = [], CHUNK
            parts.append((number, piece))
            room -= piece.numel()
    if parts:
        yield _joined(torch, parts, wide)


def _joined(torch: Any, parts: list[tuple[int, Any]], wide: Any) -> tuple[Any, Any]:
    values = torch.cat([piece.to(wide) for _, piece in parts])
    ids = torch.cat([torch.full_like(piece, number, dtype=torch.int64) for number, piece in parts])
    return ids, values


def _edges(torch: Any, flat: Sequence[Any], wide: Any, span: tuple[float, float] | None) -> tuple[Any, Any]:
    """Return the outermost edges of each tensor's bins, as `splittable` would have them."""
    size, device = (len(flat),), flat[0].device
    if span is not None:
        low, high = (torch.full(size, edge, dtype=wide, device=device) for edge in span)
    else:
        low, high = (torch.full(size, edge, dtype=wide, device=device) for edge in (torch.inf, -torch.inf))
        for ids, values in _chunks(torch, flat, wide):
            finite = torch.isfinite(values)
            low.scatter_reduce_(0, ids, torch.where(finite, values, torch.inf), "amin")
            high.scatter_reduce_(0, ids, torch.where(finite, values, -torch.inf), "amax")
        empty = low > high
        low, high = torch.where(empty, 0.0, low), torch.where(empty, 1.0, high)
    least = 1e-12 if wide is torch.float64 else 1e-5
    needed = torch.maximum(low.abs(), high.abs()) * least + 1e-30
    pad = torch.where(high - low > needed, 0.0, needed.clamp_min(0.5))
    return low - pad, high + pad


def _slots(torch: Any, ids: Any, values: Any, low: Any, high: Any, bins: int) -> Any:
    """Return where each value is counted: in a bin of its tensor, or apart."""
    lowest, highest = low[ids], high[ids]
    place = (
        ((values - lowest) * (bins / (highest - lowest))).nan_to_num(0.0).clamp(0, bins - 1).to(torch.int64)
    )
    apart = torch.where(values > 0, bins + 1, torch.where(values < 0, bins + 2, bins))
    place = torch.where((values < lowest) | (values > highest), bins + 3, place)
    return torch.where(torch.isfinite(values), place, apart) + ids * (bins + APART)


def _to_host(torch: Any, table: Any) -> tuple[Any, Any]:
    """Start the copy of a table; return where it will be, and the event that says when."""
    if table.device.type != "cuda":
        return table.cpu(), None
    host = torch.empty(table.shape, dtype=table.dtype, device="cpu", pin_memory=True)
    host.copy_(table, non_blocking=True)
    event = torch.cuda.Event(blocking=True)
    event.record(torch.cuda.current_stream(table.device))
    return host, event


def _unpacked(table: Any, bins: int) -> list[Bins]:
    import numpy as np

    found = np.linspace(table[:, 0], table[:, 1], bins + 1, axis=-1)
    counts = table[:, 2:].astype(np.int64)
    return [
        Bins(row[:bins], edges, *(int(n) for n in row[bins : bins + 3]))
        for row, edges in zip(counts, found, strict=True)
    ]
