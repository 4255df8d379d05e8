"""Count histograms where the values are: on a GPU, in one pass over all tensors that are given.

    tensors -> chunks of CHUNK values, each with the number of its tensor
    chunks  -> lowest and highest finite value of each tensor
    chunks  -> counts of each tensor, and of its NaN, +inf and -inf
    one small array -> the host, behind the work that makes it: nobody waits here

A value that lies within the rounding of an edge may be counted in the bin next to it: a GPU rounds in its own way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from ...errors import RichValueError
from ...journal.bins import Bins
from ..cuda import wait_for

__all__ = ["DeviceCounts", "count_on_device", "is_elsewhere"]

# Values that are worked on at once: about 200 MB of the device's memory.
CHUNK: Final = 1 << 22
# Behind the bins: NaN, +inf, -inf, and what lies beyond a range that was given.
APART: Final = 4
# The lowest and highest of no values.
EMPTY: Final = (float("inf"), float("-inf"))


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
                wait_for(self._event)
            self._found = _unpacked(self._host.numpy(), self._bins)
        return self._found


def count_on_device(
    tensors: Sequence[Any], bins: int, span: tuple[float, float] | None = None
) -> DeviceCounts:
    """Count tensors of one device, each into equal bins over its own finite values, or over a span."""
    torch = sys.modules["torch"]
    device = tensors[0].device
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        reason = "a CUDA graph is being captured, which computes nothing yet; log it after a replay"
        raise RichValueError("Histogram", tensors[0], reason)
    with torch.no_grad():
        flat = [_local(tensor).reshape(-1) for tensor in tensors]
        wide = torch.float32 if device.type == "mps" else torch.float64
        plans = [*_plans(flat)]
        # Both passes find what is small in one chunk, which is joined once.
        chunk = lru_cache(maxsize=1)(lambda number: _joined(torch, plans[number], wide))
        chunks = [partial(chunk, number) for number in range(len(plans))]
        low, high = (torch.full((len(flat),), edge, dtype=wide, device=device) for edge in span or EMPTY)
        if span is None:
            _widen(torch, chunks, low, high)
        low, high = _padded(torch, low, high)
        counts = torch.zeros(len(flat) * (bins + APART), dtype=torch.int64, device=device)
        for make in chunks:
            slots = _slots(torch, make(), low, high, bins)
            counts.scatter_add_(0, slots, torch.ones_like(slots))
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


def _plans(flat: Sequence[Any]) -> Iterator[list[tuple[int, Any]]]:
    """Yield pieces of tensors, each with the number of its tensor, of at most CHUNK values together."""
    pieces: list[tuple[int, Any]] = []
    room = CHUNK
    for number, tensor in enumerate(flat):
        for piece in tensor.split(CHUNK) if len(tensor) else ():
            if len(piece) > room:
                yield pieces
                pieces, room = [], CHUNK
            pieces.append((number, piece))
            room -= len(piece)
    if pieces:
        yield pieces


class _Chunk(NamedTuple):
    """Hold values on the device, piece by piece, and of each piece its length and the number of its tensor."""

    values: Any
    sizes: list[int]
    lengths: Any
    numbers: Any


def _joined(torch: Any, pieces: list[tuple[int, Any]], wide: Any) -> _Chunk:
    numbers, parts = zip(*pieces, strict=True)
    alike = parts if len({part.dtype for part in parts}) == 1 else [part.to(wide) for part in parts]
    sizes = [len(part) for part in parts]
    return _Chunk(torch.cat(alike).to(wide), sizes, *_to_device(torch, [sizes, numbers], parts[0].device))


def _widen(torch: Any, chunks: Iterable[Callable[[], _Chunk]], low: Any, high: Any) -> None:
    """Put the lowest and highest finite value of each tensor into `low` and `high`, but for those that have none."""
    for make in chunks:
        chunk = make()
        finite = torch.isfinite(chunk.values)
        for found, beyond, how in ((low, torch.inf, "min"), (high, -torch.inf, "max")):
            extremes = _extremes(torch, torch.where(finite, chunk.values, beyond), chunk, how)
            found.scatter_reduce_(0, chunk.numbers, extremes, f"a{how}")
    empty = low > high
    low.masked_fill_(empty, 0.0)
    high.masked_fill_(empty, 1.0)


def _extremes(torch: Any, values: Any, chunk: _Chunk, how: str) -> Any:
    """Return the least or the greatest value of each piece."""
    # One pass for many pieces, which has little of a GPU work on each: a large one is quicker by itself.
    if values.is_cuda and len(chunk.sizes) > 1:
        return torch.segment_reduce(values, how, lengths=chunk.lengths, unsafe=True)
    return torch.stack([getattr(piece, f"a{how}")() for piece in values.split(chunk.sizes)])


def _padded(torch: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Return the outermost edges of each tensor's bins, as `splittable` would have them."""
    least = 1e-12 if low.dtype is torch.float64 else 1e-5
    needed = torch.maximum(low.abs(), high.abs()) * least + 1e-30
    pad = torch.where(high - low > needed, 0.0, needed.clamp_min(0.5))
    return low - pad, high + pad


def _slots(torch: Any, chunk: _Chunk, low: Any, high: Any, bins: int) -> Any:
    """Return where each value is counted: in a bin of its tensor, or apart."""
    values = chunk.values
    ids = torch.repeat_interleave(chunk.numbers, chunk.lengths, output_size=len(values))
    lowest, highest = low[ids], high[ids]
    place = (
        ((values - lowest) * (bins / (highest - lowest))).nan_to_num(0.0).clamp(0, bins - 1).to(torch.int64)
    )
    apart = torch.where(values > 0, bins + 1, torch.where(values < 0, bins + 2, bins))
    place = torch.where((values < lowest) | (values > highest), bins + 3, place)
    return torch.where(torch.isfinite(values), place, apart) + ids * (bins + APART)


def _to_device(torch: Any, rows: Sequence[Sequence[int]], device: Any) -> Any:
    """Return whole numbers on the device; nobody waits for them there."""
    if device.type != "cuda":
        return torch.tensor(rows, device=device)
    return torch.tensor(rows, pin_memory=True).to(device, non_blocking=True)


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
