"""Arrays that grow at their end without being copied each time: those of the curves of live runs.

Each length is an array of its own, which never changes; all lie in one room, a little larger than the longest. When it
is full the next one moves to a room that is an eighth larger, so that a point is copied about eight times in all.
"""

from __future__ import annotations

import threading
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Growing"]

Scalar = TypeVar("Scalar", bound=np.generic)

_LEAST_SPARE: Final = 64


class _Room(Generic[Scalar]):
    """Hold the memory that some arrays share, of which the first `used` items are taken."""

    def __init__(self, used: int, dtype: np.dtype[Scalar]) -> None:
        self.items: npt.NDArray[Scalar] = np.empty(used + max(used // 8, _LEAST_SPARE), dtype)
        self._used = used
        self._lock = threading.Lock()

    def claim(self, begin: int, end: int) -> bool:
        """Take the items from begin to end; False where those are not free, or there is no room for them."""
        with self._lock:
            if begin != self._used or end > len(self.items):
                return False
            self._used = end
            return True


class Growing(Generic[Scalar]):
    """Hold an array; nobody may write to it any more."""

    __slots__ = ("_room", "array")

    def __init__(self, array: npt.NDArray[Scalar], room: _Room[Scalar] | None = None) -> None:
        self.array = array
        self._room = room

    @property
    def nbytes(self) -> int:
        """Return the memory this takes, with what it shares and what is to spare."""
        return self.array.nbytes if self._room is None else self._room.items.nbytes

    def grown(self, more: npt.NDArray[Any]) -> Growing[Scalar]:
        """Return an array with some items behind those of this one, which stays as it is."""
        begin, end = len(self.array), len(self.array) + len(more)
        if begin == end:
            return self
        room = self._room
        if room is None or not room.claim(begin, end):
            room = _Room(end, self.array.dtype)
            room.items[:begin] = self.array
        room.items[begin:end] = more
        return Growing(room.items[:end], room)
