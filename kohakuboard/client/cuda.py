"""Bring scalars from CUDA devices to the host while training goes on: see device.py.

    values of one device and type -> one small tensor -> pinned memory, to which the device writes; an event behind it

The memory and its event are used again as soon as the values were read: nothing is pinned, made or freed in the middle
of training. The copy is of the values' own type: to have the device convert them takes it ten times as long.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from .device import Transfer
from .scalars import NotAScalarError

__all__ = ["CudaCopies", "wait_for"]

SLAB_VALUES: Final = 1024
# CU_STREAM_CAPTURE_MODE_RELAXED of the CUDA driver API.
RELAXED: Final = 2


class CudaCopies:
    """Copy through PyTorch, which is looked up when it is needed: whoever has such a tensor has imported it."""

    def __init__(self, torch: Any = None) -> None:
        self._torch = torch
        # By device, type and number of values. Taken from and given back by different threads, which a list allows.
        self._free: dict[tuple[Any, Any, int], list[_Room]] = {}

    def start(self, values: Sequence[Any]) -> Transfer:
        """Start one copy for the values of each device and type, on the streams that are current there."""
        torch = self._torch = self._torch or sys.modules["torch"]
        if torch.cuda.is_current_stream_capturing():
            raise NotAScalarError(
                "a CUDA graph is being captured, which computes nothing yet; log it after a replay"
            )
        groups: dict[tuple[Any, Any], list[int]] = {}
        for place, value in enumerate(values):
            groups.setdefault((value.device, value.dtype), []).append(place)
        with torch.no_grad():
            parts = [
                _Part(places, *self._copy(device, dtype, [values[place] for place in places]))
                for (device, dtype), places in groups.items()
            ]
        return _CudaTransfer(len(values), parts)

    def _copy(self, device: Any, dtype: Any, values: list[Any]) -> tuple[_Room, list[_Room]]:
        """Start a copy; return where it goes, and where that is put back."""
        torch, count = self._torch, len(values)
        free = self._free.setdefault((device, dtype, count), [])
        try:
            room = free.pop()
        except IndexError:
            free += self._new_room(dtype, count)
            room = free.pop()
        scalars = [value.reshape(()) if value.shape else value for value in values]
        room.host.copy_(torch.stack(scalars) if count > 1 else scalars[0], non_blocking=True)
        room.event.record(torch.cuda.current_stream(device))
        return room, free

    def _new_room(self, dtype: Any, count: int) -> Iterator[_Room]:
        """Pin memory for several copies of so many values; those of one value are scalars, too."""
        torch = self._torch
        # Outside of inference mode: what is made in it cannot be written to later outside of it.
        with torch.inference_mode(False):
            slab = torch.empty(max(SLAB_VALUES, count), dtype=dtype, device="cpu", pin_memory=True)
            places = slab.unbind() if count == 1 else slab[: len(slab) // count * count].split(count)
        # An event that blocks: to wait for it sleeps.
        return (_Room(place, torch.cuda.Event(blocking=True)) for place in places)


class _Room(NamedTuple):
    """Hold pinned memory for one copy, and the event behind it."""

    host: Any
    event: Any


class _Part(NamedTuple):
    places: list[int]
    room: _Room
    free: list[_Room]


class _CudaTransfer:
    def __init__(self, count: int, parts: list[_Part]) -> None:
        self._count, self._parts = count, parts

    def wait(self) -> list[float]:
        floats = [0.0] * self._count
        for places, room, free in self._parts:
            wait_for(room.event)
            numbers = room.host.tolist()
            for place, number in zip(places, numbers if len(places) > 1 else [numbers], strict=True):
                floats[place] = float(number)
            free.append(room)
        return floats


def wait_for(event: Any) -> None:
    """Wait for an event; sleeps, and gives away Python's global lock meanwhile.

    While one thread captures a CUDA graph in the usual mode, a wait in any other would fail, and the capture with it.
    So this thread takes the mode in which the driver lets it: its wait has nothing to do with any capture.
    """
    change_mode = _change_capture_mode()
    before = change_mode(RELAXED)
    try:
        event.synchronize()
    finally:
        change_mode(before)


@cache
def _change_capture_mode() -> Callable[[int], int]:
    """Return what changes this thread's mode and returns the one before; it does nothing where there is no driver."""
    import ctypes

    try:
        # Not CDLL, which would let go of the global lock for a call that takes no time.
        driver = ctypes.PyDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        exchange = driver.cuThreadExchangeStreamCaptureMode
    except (OSError, AttributeError):
        return lambda mode: mode

    def change(mode: int) -> int:
        held = ctypes.c_int(mode)
        exchange(ctypes.byref(held))
        return held.value

    return change
