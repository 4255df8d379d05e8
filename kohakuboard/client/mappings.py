"""board.config and board.summary: dictionaries that write each change to the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from .plain import plain

__all__ = ["LoggedMapping"]


class LoggedMapping(MutableMapping[str, Any]):
    """Behave as a dict; hand each change, as plain values, to `write`.

    A deletion is written as the key under "removed"; nothing is written when an update changes nothing.
    """

    def __init__(self, write: Callable[[dict[str, Any], list[str]], None]) -> None:
        self._items: dict[str, Any] = {}
        self._write = write

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        del self._items[key]
        self._write({}, [key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)

    def update(self, *args: Any, **values: Any) -> None:
        """Set several keys in one record; a Namespace, dataclass or anything with attributes is taken, too."""
        changed: dict[str, Any] = {}
        for arg in (*args, values):
            given = plain(arg if isinstance(arg, Mapping) else _pairs(arg))
            changed.update(given)
        changed = {key: item for key, item in changed.items() if self._differs(key, item)}
        if changed:
            self._items.update(changed)
            self._write(changed, [])

    def preset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Take values without writing them, and return them as plain ones."""
        self._items.update(plain(values))
        return dict(self._items)

    def _differs(self, key: str, item: Any) -> bool:
        return key not in self._items or self._items[key] != item


def _pairs(arg: Any) -> Any:
    if hasattr(arg, "__dict__"):
        return vars(arg)
    return dict(arg)
