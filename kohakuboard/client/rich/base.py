"""What all that users log besides scalars has in common, and how it travels through the journal.

The training process hands over raw bytes; the writer counts, encodes and stores. A record is msgpack:

    {"scalars": {name: float}, "items": [{"name", "index", "type", …}]}

`type` names the module of this folder that made the item, the one of `writer/rich` that encodes it, and those of
`storage/rich` and `reader/rich` that store and read it. Arrays and files of up to INLINE_BYTES travel inside the
record; larger ones are staged as files beside the segments, whole, before the record that names them is appended:
`{"staged": file name, "staged_bytes": its size}` in place of the bytes, at any depth of an item, and "sparse" beside it
for the copy of a file that has holes. Several may share a file, each with its `offset`.

What is still on its way from a GPU is an item's `late`, a function that returns the rest of it; see ../device.py.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ...errors import RichValueError
from ...journal.stage import Stage
from ..plain import describe

__all__ = ["Rich", "Unusable", "array_item", "as_array"]


class Rich:
    """Be the base of everything that `log` takes besides scalars.

    When values are read, each type says. One that cannot be used raises nothing there, in the middle of somebody's
    training: `log` refuses it with a warning, as it does any other.
    """

    n_values: int = 1
    _problem: RichValueError | None = None

    def to_items(self, name: str, index: int, stage: Stage) -> list[dict[str, Any]]:
        """Return the value's parts of a rich record, at a place among the values of a name: one part, as a rule."""
        return [{"name": name, "index": index, **self.to_item(stage)}]

    def to_item(self, stage: Stage) -> dict[str, Any]:
        """Return the value's part of a rich record; its large bytes go to the stage. Raises RichValueError."""
        if self._problem is not None:
            raise self._problem
        return self._item(stage)

    def _item(self, stage: Stage) -> dict[str, Any]:
        raise NotImplementedError

    def refused_later(self, value: Any) -> _RefusedLater:
        """Return a context that keeps what goes wrong inside until the value is logged."""
        return _RefusedLater(self, value)


class _RefusedLater:
    # No generator: it is entered for each value that is logged, and takes 20 µs when caches are cold.

    __slots__ = ("_rich", "_value")

    def __init__(self, rich: Rich, value: Any) -> None:
        self._rich, self._value = rich, value

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):  # a user's own object may raise anything when it is read
            return False
        if not isinstance(error, RichValueError):
            reason = f"it cannot be read ({describe(error)})"
            error = RichValueError(type(self._rich).__name__, self._value, reason)
        self._rich._problem = error
        return True


class Unusable(Rich):
    """Stand for a value that cannot be logged among others that can."""

    def __init__(self, value: Any) -> None:
        self._problem = RichValueError("rich value", value, "log it under a name of its own")


def as_array(kind: str, values: Any) -> Any:
    """Return a NumPy array of numbers that shares nothing that the caller may change later."""
    import numpy as np

    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if "bfloat16" in str(values.dtype):
            values = values.float()
        values = values.numpy()
    try:
        array = np.array(values)
    except (TypeError, ValueError) as exc:
        raise RichValueError(kind, values, f"numpy cannot read it ({exc}); pass an array of numbers") from exc
    if array.dtype.kind not in "biuf":
        raise RichValueError(kind, values, f"its dtype is {array.dtype}; pass numbers")
    return array


def array_item(array: Any, stage: Stage) -> dict[str, Any]:
    """Return what stands for an array in an item: dtype, shape, and its bytes or where they are staged."""
    import numpy as np

    array = np.ascontiguousarray(array)
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        **stage.data(array.reshape(-1).view(np.uint8).data),
    }
