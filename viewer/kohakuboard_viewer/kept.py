"""Keep what was costly to read or to compute, until it is out of date or there is too much of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Keep values of one kind by key, the last used of them, up to about `limit_bytes`."""

    def __init__(self, limit_bytes: int, size: Callable[[Value], int]) -> None:
        self._limit_bytes = limit_bytes
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[str, Value, int]] = OrderedDict()
        self._total = 0

    def get(self, key: Hashable, state: str, make: Callable[[], Value]) -> Value:
        """Return the value of a key; it is made anew when the state is another than it was made in."""
        with self._lock:
            known = self._values.get(key)
            if known is not None and known[0] == state:
                self._values.move_to_end(key)
                return known[1]
        value = make()
        with self._lock:
            self._drop(key)
            self._values[key] = state, value, self._size(value)
            self._total += self._values[key][2]
            while self._total > self._limit_bytes and len(self._values) > 1:
                self._drop(next(iter(self._values)))
        return value

    def _drop(self, key: Hashable) -> None:
        if dropped := self._values.pop(key, None):
            self._total -= dropped[2]
