"""Turn configuration of any shape into what JSON can hold, without changing the original."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from os import PathLike, fspath
from typing import Any, Final

__all__ = ["describe", "plain", "storable_text", "text_of", "words"]

DEEPEST: Final = 32
LONGEST_TEXT: Final = 100_000
# What one value may take in all, at a price of ITEM_COST for each item beside its characters. A config of 100 MB would
# otherwise be copied by training, the writer and every reader.
MOST_TEXT: Final = 4 << 20
ITEM_COST: Final = 16
INT64: Final = range(-(2**63), 2**63)


def plain(value: Any, most: int = MOST_TEXT) -> Any:
    """Return a copy made of dict, list, str, int, float, bool and None only.

    Mappings, dataclasses and Namespaces become dicts with string keys, sequences and small arrays lists, numbers of
    any framework Python numbers, paths strings; NaN and infinities their names, integers beyond 64 bits their digits;
    classes and functions their qualified names (nothing is called); all else its repr. A text is cut at LONGEST_TEXT
    characters, the whole where it takes `most`, both with a note that says so; what holds itself becomes a note, too.
    Raises nothing: what fails when it is looked at becomes its repr.
    """
    return _plain(value, 0, _Room(most))


class _Room:
    """Know what room is left, and which containers the current one lies in."""

    __slots__ = ("around", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.around: set[int] = set()

    def text(self, text: str) -> str:
        """Return a text that takes no more than there is room for."""
        text = _cut(text, min(LONGEST_TEXT, max(self.left, 0)))
        self.left -= len(text)
        return storable_text(text)

    def take(self) -> bool:
        """Take the room of an item; False when there is none."""
        self.left -= ITEM_COST
        return self.left > 0


def _plain(value: Any, depth: int, room: _Room) -> Any:
    if value is None or isinstance(value, bool):
        return value
    try:
        if isinstance(value, str):
            return room.text(str(value))
        if isinstance(value, int):
            return number if (number := int(value)) in INT64 else room.text(describe(number))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        if isinstance(value, bytes | bytearray):
            return room.text(repr(bytes(value[:LONGEST_TEXT])))
        return _plain_container(value, depth, room)
    except Exception:  # noqa: BLE001  (a user's own object may raise anything when it is looked at)
        return room.text(describe(value))


def describe(value: Any) -> str:
    """Return the repr of anything, cut at LONGEST_TEXT characters, and raise nothing."""
    try:
        return storable_text(_cut(repr(value), LONGEST_TEXT))
    except Exception:  # noqa: BLE001  (a user's own __repr__ may raise anything)
        return f"<{type(value).__name__} without a repr>"


def _cut(text: str, most: int) -> str:
    """Return a text of no more than so many characters; its end says how long it was."""
    if len(text) <= most:
        return text
    note = f"… ({len(text)} characters)"
    return text[: max(most - len(note), 0)] + note


def storable_text(text: str) -> str:
    """Return text that UTF-8 can hold: halves of surrogate pairs, as in names of files, become escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _plain_container(value: Any, depth: int, room: _Room) -> Any:
    mark = id(value)
    if mark in room.around:
        return f"<the {type(value).__name__} around it>"
    room.around.add(mark)
    try:
        if isinstance(value, Mapping):
            return _plain_mapping(value, depth, room)
        if isinstance(value, list | tuple | set | frozenset):
            return _plain_sequence(value, depth, room)
        return _plain_object(value, depth, room)
    finally:
        room.around.discard(mark)


def _plain_mapping(value: Mapping[Any, Any], depth: int, room: _Room) -> Any:
    if depth >= DEEPEST:
        return f"<a {type(value).__name__} nested too deep>"
    made: dict[str, Any] = {}
    for key, item in value.items():
        if not room.take():
            made["…"] = _left_out(len(value) - len(made))
            break
        name = _key(key)
        room.left -= len(name)
        made[name] = _plain(item, depth + 1, room)
    return made


def _plain_sequence(value: Collection[Any], depth: int, room: _Room) -> Any:
    if depth >= DEEPEST:
        return f"<a {type(value).__name__} nested too deep>"
    made: list[Any] = []
    for item in value:
        if not room.take():
            made.append(_left_out(len(value) - len(made)))
            break
        made.append(_plain(item, depth + 1, room))
    return made


def _plain_object(value: Any, depth: int, room: _Room) -> Any:
    if isinstance(value, PathLike):
        return room.text(str(fspath(value)))
    if isinstance(value, type) or callable(value):
        return (
            f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
        )
    # By its mark: importing dataclasses would cost every `import kohakuboard` 4 ms.
    if names := getattr(value, "__dataclass_fields__", None):
        return _plain({name: getattr(value, name, None) for name in names}, depth + 1, room)
    if hasattr(value, "tolist") and hasattr(value, "shape") and math.prod(value.shape) <= 1000:
        return _plain(value.tolist(), depth + 1, room)
    if type(value).__name__ == "Namespace" or type(value).__name__ == "SimpleNamespace":
        return _plain(vars(value), depth + 1, room)
    return room.text(describe(value))


def _left_out(count: int) -> str:
    return f"{count} more are left out: together they are larger than what is stored"


def _key(key: Any) -> str:
    try:
        return storable_text(_cut(str(key), LONGEST_TEXT))
    except Exception:  # noqa: BLE001  (a user's own key may raise anything when it is looked at)
        return describe(key)


def words(values: Any) -> list[str]:
    """Return texts of whatever was given for some: one alone is one of them."""
    try:
        given = [values] if isinstance(values, str) else list(values)
    except Exception:  # noqa: BLE001  (the boundary: a user's own object may raise anything)
        given = [values]
    return [word if isinstance(word, str) else str(word) for word in plain(given)]


def text_of(value: Any) -> str | None:
    """Return the text of whatever was given for one; None stays None."""
    return None if value is None else words([value])[0]
