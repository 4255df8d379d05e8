"""Scalars that still lie on a device when they are logged: a GPU's tensors.

To read such a value is to wait for all that the device has been told to do before it. So its copy to the host is only
started, on the stream of the work that makes the value, and the call returns. From then on all calls of the board wait
in a queue, and a thread appends each to the journal, in order, with the step and the time of its call, when its values
are there. When the queue is empty the board appends directly again; one that logs no device's values has none of this.

    log(loss=tensor)  ->  Copies.start: a copy and an event, on the stream  ->  LateCalls  ->  [thread] wait, append

What is in flight when the process is killed is lost: on the host the value did not exist yet, and what was logged
behind it had to keep its place. The queue holds MOST_CALLS; a call beyond that waits for the oldest.

The thread alone appends what was queued: no signal handler can interrupt it between an append and the next.
"""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import time as now
from typing import Any, Final, Protocol

from ..journal.shard import Clock
from ..journal.stage import Stage
from .plain import INT64
from .scalars import NotAScalarError

__all__ = ["MOST_CALLS", "Copies", "CudaCopies", "LateCalls", "Transfer", "is_on_device"]

MOST_CALLS: Final = 10_000
SLAB_VALUES: Final = 1024

Append = Callable[[Any], None]


class Transfer(Protocol):
    """Stand for values on their way to the host."""

    def wait(self) -> list[float]:
        """Return the values, in the order in which they were given, when they are there."""
        ...


class Copies(Protocol):
    """Start copies from a device; the seam where a stand-in takes the place of CUDA."""

    def start(self, values: Sequence[Any]) -> Transfer:
        """Copy what the values are when the work that is under way is done; return at once."""
        ...


def is_on_device(value: Any) -> bool:
    """Tell whether a value is a GPU's tensor that holds one real number."""
    if getattr(value, "is_cuda", False) is not True:
        return False
    return math.prod(value.shape) == 1 and not value.is_complex()


class CudaCopies:
    """Copy through PyTorch, into pinned memory, to which the device writes while the host goes on.

    The module is looked up when it is needed: whoever has such a tensor has imported it.
    """

    def __init__(self, torch: Any = None) -> None:
        self._torch = torch
        self._slab: Any = None
        self._used = 0

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
        parts = []
        with torch.no_grad():
            for places in groups.values():
                ours = [values[place].detach().reshape(()) for place in places]
                host = self._room(len(ours))
                host.copy_(torch.stack(ours) if len(ours) > 1 else ours[0].reshape(1), non_blocking=True)
                parts.append((places, host))
        events = [_event_on(torch, device) for device in {device for device, _ in groups}]
        return _CudaTransfer(len(values), parts, events)

    def _room(self, count: int) -> Any:
        """Return pinned memory that nothing else uses; PyTorch takes it back when nobody refers to it."""
        if self._slab is None or self._used + count > len(self._slab):
            # Outside of inference mode: what is made in it cannot be written to later outside of it.
            with self._torch.inference_mode(False):
                size = max(SLAB_VALUES, count)
                self._slab = self._torch.empty(size, dtype=self._torch.float64, device="cpu", pin_memory=True)
            self._used = 0
        self._used += count
        return self._slab[self._used - count : self._used]


class _CudaTransfer:
    def __init__(self, count: int, parts: list[tuple[list[int], Any]], events: list[Any]) -> None:
        self._count, self._parts, self._events = count, parts, events

    def wait(self) -> list[float]:
        for event in self._events:
            event.synchronize()  # sleeps, and gives away Python's global lock
        floats = [0.0] * self._count
        for places, host in self._parts:
            for place, number in zip(places, host.tolist(), strict=True):
                floats[place] = number
        return floats


def _event_on(torch: Any, device: Any) -> Any:
    event = torch.cuda.Event(blocking=True)
    event.record(torch.cuda.current_stream(device))
    return event


class LateCalls:
    """Queue calls, in order, until their values are there; stand for the board's shard meanwhile.

    `replace(old, new)` makes the board append to `new` if it appended to `old`. `failed(error)` is told what kept a
    call from being appended.
    """

    def __init__(self, replace: Callable[[Any, Any], None], failed: Callable[[Exception], None]) -> None:
        self._replace = replace
        self._failed = failed
        self._shard: Any = None
        self._calls: deque[Append] = deque()
        # Re-entrant: a signal handler may log while the call that it interrupted is being queued.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._stopping = self._given_up = False

    def add(self, shard: Any, append: Append) -> None:
        """Queue a call: `append` waits for its values and appends it to the shard that it is given.

        `shard` is what the board appends to now; these calls themselves, when some are waiting.
        """
        with self._changed:
            if shard is not self:
                self._shard = shard
            if self._stopping or not self._has_thread():
                self._append(append)
                return
            # Before the call is queued: what comes in between finds an empty queue in place, and appends directly.
            self._replace(self._shard, self)
            self._queue(append)

    @property
    def stage(self) -> Stage:
        """Return the stage of the shard that the calls will be in."""
        stage: Stage = self._shard.stage
        return stage

    def row(self, step: int, values: Mapping[str, float], now: Clock = now) -> None:
        """Queue a row of scalars. Raises what Shard.row would, and TypeError for whatever is no float."""
        "".join(values).encode()
        if step not in INT64 or not all(type(value) is float for value in values.values()):
            raise TypeError("a row that waits takes floats and a step of 64 bits")
        row, moment = dict(values), now()
        self._append_or_queue(lambda shard: shard.row(step, row, lambda: moment))

    def record(self, kind: int, step: int, payload: bytes, now: Clock = now) -> None:
        """Queue a rich record."""
        moment = now()
        self._append_or_queue(lambda shard: shard.record(kind, step, payload, lambda: moment))

    def event(self, step: int, event: Mapping[str, Any]) -> None:
        """Append an event at once: it has no place among the points."""
        self._shard.event(step, event)

    def close(self) -> None:
        """Close the shard."""
        self._shard.close()

    def stop(self, timeout_s: float) -> int:
        """Wait until all calls are appended and end the thread; return how many were given up after `timeout_s`."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        with self._changed:
            given_up = len(self._calls)
            self._given_up = given_up > 0
            self._calls.clear()
            self._replace(self, self._shard)
            self._changed.notify_all()
        return given_up

    def _append_or_queue(self, append: Append) -> None:
        with self._changed:
            if self._calls:
                self._queue(append)
            else:
                append(self._shard)

    def _queue(self, append: Append) -> None:
        while len(self._calls) >= MOST_CALLS and threading.current_thread() is not self._thread:
            self._changed.wait()
        self._calls.append(append)
        self._changed.notify_all()

    def _has_thread(self) -> bool:
        """Tell whether the thread is there, starting it; where there can be none, a call waits itself."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="kohakuboard-device", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads to give
                return False
            self._thread = thread
        return True

    def _work(self) -> None:
        while (append := self._oldest()) is not None:
            self._append(append)
            self._take_out(append)

    def _oldest(self) -> Append | None:
        with self._changed:
            while not self._calls and not self._stopping:
                self._changed.wait()
            return self._calls[0] if self._calls else None

    def _take_out(self, append: Append) -> None:
        """Let go of a call that was appended; until then, those behind it must queue."""
        with self._changed:
            if self._calls and self._calls[0] is append:
                self._calls.popleft()
            if not self._calls:
                self._replace(self, self._shard)
            self._changed.notify_all()

    def _append(self, append: Append) -> None:
        try:
            append(self._shard)
        except Exception as exc:  # noqa: BLE001  (the boundary: the thread goes on with the next call)
            if not self._given_up:
                self._failed(exc)
