"""Scalars that still lie on a device when they are logged: a GPU's tensors.

To read such a value is to wait for all that the device has been told to do before it. So its copy to the host is only
started, on the stream of the work that makes the value, and the call returns. From then on all calls of the board wait
in a queue, and a thread appends each to the journal, in order, with the step and the time of its call, when its values
are there. When the queue is empty the board appends directly again; one that logs no device's values has none of this.

    log(loss=tensor)  ->  Copies.start: a copy and an event, on the stream  ->  LateCalls  ->  [thread] wait, append

The copies are those of cuda.py. What is in flight when the process is killed is lost, and what came in the last
PAUSE_S: on the host the value did not exist yet, and what was logged behind it had to keep its place. The queue holds
MOST_CALLS; a call beyond that waits for the oldest.

The thread alone appends what was queued: no signal handler can interrupt it between an append and the next.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import time as now
from typing import Any, Final, Protocol

from ..journal.shard import Clock
from ..journal.stage import Stage
from .plain import INT64

__all__ = ["MOST_CALLS", "Copies", "LateCalls", "Transfer", "is_on_device"]

MOST_CALLS: Final = 10_000
# How long the thread lets calls gather. To wake it for each would have training wait for Python's global lock as often.
PAUSE_S: Final = 0.005

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
        self._stopping = threading.Event()
        self._given_up = False

    def add(self, shard: Any, append: Append) -> None:
        """Queue a call: `append` waits for its values and appends it to the shard that it is given.

        `shard` is what the board appends to now; these calls themselves, when some are waiting.
        """
        with self._changed:
            if shard is not self:
                self._shard = shard
            if self._stopping.is_set() or not self._has_thread():
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
            self._stopping.set()
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
        if len(self._calls) == 1:
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
        while self._has_calls():
            self._stopping.wait(PAUSE_S)
            # Of those that are there now. To wait for each that comes behind them would be to wake for each.
            for _ in range(len(self._calls)):
                if (append := self._oldest()) is not None:
                    self._append(append)
                    self._take_out(append)

    def _has_calls(self) -> bool:
        """Wait for a call; tell whether there is one, or the end has come."""
        with self._changed:
            while not self._calls and not self._stopping.is_set():
                self._changed.wait()
            return bool(self._calls)

    def _oldest(self) -> Append | None:
        with self._changed:
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
