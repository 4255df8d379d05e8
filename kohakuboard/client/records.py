"""What users log besides scalars: Histogram, Media, Table; and how each travels through the journal.

The training process hands over raw bytes; the writer counts, encodes and stores. A record is msgpack:

    {"scalars": {name: float}, "items": [{"name", "index", "type", …}]}

Arrays and files of up to INLINE_BYTES travel inside it; larger ones are staged as files beside the segments, whole,
before the record that names them is appended: `{"staged": file name}` in place of the bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import index
from pathlib import Path
from typing import Any, Final

from ..errors import RichValueError
from ..journal.bins import count_bins
from ..journal.stage import Stage
from .plain import INT64, describe, plain, storable_text

__all__ = ["Histogram", "Media", "Rich", "Table"]

# More than any plot can show; a slip of the keyboard must not cost the writer its memory.
MOST_BINS: Final = 1 << 20


class Rich:
    """Be the base of everything that `log` takes besides scalars.

    Values are copied when the object is made. One that cannot be used raises nothing there, in the middle of somebody's
    training: `log` refuses it with a warning, as it does any other.
    """

    _problem: RichValueError | None = None

    def to_item(self, stage: Stage) -> dict[str, Any]:
        """Return the value's part of a rich record; its large bytes go to the stage. Raises RichValueError."""
        if self._problem is not None:
            raise self._problem
        return self._item(stage)

    def _item(self, stage: Stage) -> dict[str, Any]:
        raise NotImplementedError

    @contextmanager
    def _refused_later(self, value: Any) -> Iterator[None]:
        try:
            yield
        except RichValueError as exc:
            self._problem = exc
        except Exception as exc:  # noqa: BLE001  (a user's own object may raise anything when it is read)
            self._problem = RichValueError(type(self).__name__, value, f"it cannot be read ({describe(exc)})")


class Histogram(Rich):
    """Show how values are distributed.

    `values` is an array, tensor or sequence of numbers of any shape; NaN and infinities are counted apart. `bins`
    equal bins span `range`, or the finite values' own range. The counting is done by the background writer, unless
    `compute_bins()` is called.
    """

    def __init__(self, values: Any, bins: int = 64, range: tuple[float, float] | None = None) -> None:  # noqa: A002
        self._counted: dict[str, Any] | None = None
        with self._refused_later(values):
            self._bins = _valid_bins(bins)
            self._range = _valid_range(range) if range is not None else None
            self._values = _as_array("Histogram", values).reshape(-1)

    @classmethod
    def from_bins(cls, counts: Any, edges: Any) -> Histogram:
        """Make one of B counts and the B + 1 edges between them, counted elsewhere."""
        histogram = cls([])
        with histogram._refused_later(counts):
            histogram._counted = _given_bins(counts, edges)
        return histogram

    def compute_bins(self) -> Histogram:
        """Count now, in this process, and let go of the values; returns itself."""
        if self._counted is None and self._problem is None:
            with self._refused_later(self._values):
                self._counted = count_bins(self._values, self._bins, self._range)
                self._values = self._values[:0]
        return self

    def _item(self, stage: Stage) -> dict[str, Any]:
        if self._counted is not None:
            return {"type": "histogram", **self._counted}
        values = _array_item(self._values, stage)
        return {"type": "histogram", "bins": self._bins, "range": self._range, "values": values}


class Media(Rich):
    """Show an image or any media file.

    `data` is a PIL image, an array or tensor of H×W, H×W×C or C×H×W (uint8, or floats from 0 to 1; C = 1, 3, 4), or
    the path of a file, which is copied when it is logged. Encoding is done by the background writer.
    """

    def __init__(self, data: Any, caption: str | None = None) -> None:
        self._caption = None
        self._path: Path | None = None
        self._pixels: Any = None
        with self._refused_later(data):
            self._caption = storable_text(str(caption)) if caption is not None else None
            if isinstance(data, str | os.PathLike):
                self._path = _existing_file(data)
            else:
                self._pixels = _pixels(data)

    def _item(self, stage: Stage) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "media", "caption": self._caption}
        if self._path is not None:
            return {**item, "file": stage.file(self._path), "file_name": storable_text(self._path.name)}
        return {**item, "pixels": _array_item(self._pixels, stage)}


class Table(Rich):
    """Show rows and columns.

    `data` is a list of dicts (columns in order of first appearance, what is missing is None), or a list of rows with
    `columns` naming them. Cells hold text, numbers, None, and nested lists and dicts of these; an integer beyond
    64 bits becomes text.
    """

    def __init__(self, data: Sequence[Any], columns: Iterable[str] | None = None) -> None:
        with self._refused_later(data):
            self._columns, self._rows = _from_dicts(data) if columns is None else _from_rows(data, columns)

    def _item(self, stage: Stage) -> dict[str, Any]:
        import msgspec

        # Cell by cell: the limit on what one value may take is not meant for a table.
        rows = msgspec.msgpack.encode([[plain(cell) for cell in row] for row in self._rows])
        return {
            "type": "table",
            "columns": [storable_text(name) for name in self._columns],
            "rows": stage.data(rows),
        }


def _valid_bins(bins: Any) -> int:
    try:
        number = int(index(bins))
    except TypeError:
        number = 0
    if not 1 <= number <= MOST_BINS:
        raise RichValueError("Histogram", bins, f"bins must be a number from 1 to {MOST_BINS}, not {bins!r}")
    return number


def _valid_range(span: Any) -> tuple[float, float]:
    try:
        low, high = map(float, span)
        if low < high and math.isfinite(low) and math.isfinite(high):
            return low, high
    except (TypeError, ValueError):
        pass
    raise RichValueError("Histogram", span, f"range must be two finite numbers, low and high, not {span!r}")


def _given_bins(counts: Any, edges: Any) -> dict[str, Any]:
    counted = _as_array("Histogram", counts).reshape(-1)
    borders = _as_array("Histogram", edges).reshape(-1)
    if len(borders) != len(counted) + 1:
        reason = f"{len(counted)} counts need {len(counted) + 1} edges, not {len(borders)}"
        raise RichValueError("Histogram", edges, reason)
    numbers = [int(n) for n in counted]
    if not all(n in INT64 for n in numbers):
        raise RichValueError("Histogram", counts, "a count goes beyond 64 bits")
    return {"counts": numbers, "edges": [float(edge) for edge in borders], "n_nonfinite": 0}


def _existing_file(data: str | os.PathLike[str]) -> Path:
    path = Path(data).expanduser()
    if not path.is_file():
        raise RichValueError("Media", data, f"there is no file at {str(path)!r}")
    return path


def _from_rows(data: Sequence[Any], columns: Iterable[str]) -> tuple[list[str], list[list[Any]]]:
    names = [str(column) for column in columns]
    rows = [list(row) for row in data]
    for row in rows:
        if len(row) != len(names):
            raise RichValueError("Table", row, f"a row has {len(row)} cells for {len(names)} columns")
    return names, rows


def _from_dicts(data: Sequence[Any]) -> tuple[list[str], list[list[Any]]]:
    columns: dict[str, None] = {}
    for row in data:
        if not isinstance(row, Mapping):
            raise RichValueError("Table", row, "without columns=[…] each row must be a dict")
        columns.update(dict.fromkeys(map(str, row)))
    named = ({str(key): cell for key, cell in row.items()} for row in data)
    return list(columns), [[row.get(name) for name in columns] for row in named]


def _as_array(kind: str, values: Any) -> Any:
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


def _pixels(data: Any) -> Any:
    """Return H×W or H×W×C uint8 of an image given in any usual way."""
    import numpy as np

    array = _as_array("Media", data)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise RichValueError("Media", data, f"its shape is {array.shape}; an image is H×W, H×W×C or C×H×W")
    if array.dtype.kind == "f":
        array = np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1) * 255 + 0.5
    elif array.dtype.kind == "b":
        array = array * np.uint8(255)
    elif array.min() < 0 or array.max() > 255:
        raise RichValueError(
            "Media", data, "its integers go beyond 0 … 255; scale them, or pass floats from 0 to 1"
        )
    return np.ascontiguousarray(array.astype(np.uint8))


def _array_item(array: Any, stage: Stage) -> dict[str, Any]:
    import numpy as np

    array = np.ascontiguousarray(array)
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        **stage.data(array.reshape(-1).view(np.uint8).data),
    }
