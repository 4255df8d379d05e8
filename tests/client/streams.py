"""A stand-in for a GPU: a stream that does what it was told to do, in order, when the test lets it.

It is what client/device.py asks of CUDA and no more. To read a value without its event is a failure: it would be a
wait for the device in the middle of training.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kohakuboard import Board

__all__ = ["Scalar", "Stream", "board_on"]


class Stream:
    """Queue work, and do it in `run`. It is the `Copies` of its scalars."""

    def __init__(self) -> None:
        self._work: deque[Callable[[], None]] = deque()

    def __call__(self, work: Callable[[], None]) -> None:
        self._work.append(work)

    def run(self, pieces: int | None = None) -> None:
        """Do so many pieces of work; all without a number."""
        while self._work and pieces != 0:
            self._work.popleft()()
            pieces = pieces - 1 if pieces is not None else None

    def start(self, values: Sequence[Any]) -> Copy:
        copy = Copy()
        self(lambda: copy.arrive([value.number for value in values]))
        return copy


class Copy:
    """Bring values to the host, or an error."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._found: list[Any] = []

    def arrive(self, found: list[Any]) -> None:
        self._found = found
        self._event.set()

    def wait(self) -> list[float]:
        self._event.wait()
        for found in self._found:
            if isinstance(found, Exception):
                raise found
        return [float(found) for found in self._found]


class Scalar:
    """Be a tensor of one element on a stream."""

    is_cuda = True
    shape = ()

    def __init__(self, stream: Stream, number: Any) -> None:
        self._stream = stream
        self.number = float("nan")
        self.fill_(number)

    def fill_(self, number: Any) -> None:
        """Change the value in place, behind the work that is queued."""

        def fill() -> None:
            self.number = number

        self._stream(fill)

    def is_complex(self) -> bool:
        return False

    def __radd__(self, other: Any) -> Scalar:
        return self

    def item(self) -> float:
        raise AssertionError("this waits for the device")

    __float__ = item


def board_on(stream: Stream, **arguments: Any) -> Board:
    """Return a board that takes the stream for a GPU."""
    board = Board("device", capture_output=False, **arguments)
    board._copies = stream
    return board
