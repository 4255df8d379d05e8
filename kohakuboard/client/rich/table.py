"""Rows and columns: Table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from ...errors import RichValueError
from ...journal.stage import Stage
from ..plain import storable_text
from .base import Rich
from .cells import Cells, cells_of, cells_of_array
from .frames import frame_columns

__all__ = ["MOST_COLUMNS", "Table"]

# SQLite takes 2000, and wants a few for itself.
MOST_COLUMNS: Final = 1000
# Rows are handed over in batches of about this size, so that neither side holds a large table twice.
BATCH_BYTES: Final = 2 << 20
FIRST_ROWS: Final = 1024


class Table(Rich):
    """Show rows and columns.

    `data` is a list of dicts (columns in order of first appearance, what is missing is None), a list of rows with
    `columns` naming them, a dict of columns (lists, arrays, tensors), or a data frame of pandas, polars or Arrow; of
    these and of dicts, `columns` says which to take. Named indexes of pandas become columns.

    Cells hold numbers, text, bools, None, dates, datetimes, timedeltas, bytes, Media, and nested lists and dicts of
    plain values. NumPy's scalars become Python's, an integer beyond 64 bits text; NaN and infinities stay as they are.
    """

    def __init__(self, data: Any, columns: Iterable[str] | None = None) -> None:
        self._media: list[Rich] = []
        with self.refused_later(data):
            names = None if columns is None else [storable_text(str(column)) for column in columns]
            self._columns = _columns_of(data, names, self._media)
            self._n_rows = _common_length(self._columns)

    def _item(self, stage: Stage) -> dict[str, Any]:
        media: list[dict[str, Any]] = []
        batches: list[dict[str, Any]] = []
        try:
            media.extend(one.to_item(stage) for one in self._media)
            batches.extend(map(stage.data, _batches([cells for _, cells in self._columns], self._n_rows)))
        except BaseException:
            stage.discard([*media, *batches])
            raise
        return {
            "type": "table",
            "columns": [name for name, _ in self._columns],
            "kinds": [cells.kind for _, cells in self._columns],
            "n_rows": self._n_rows,
            "batches": batches,
            "media": media,
        }


def _batches(columns: Sequence[Cells], n_rows: int) -> Iterator[bytes]:
    """Yield the rows as msgpack, some at a time: a list of the columns' cells."""
    import msgspec

    encode = msgspec.msgpack.Encoder().encode
    start, count = 0, FIRST_ROWS
    while start < n_rows:
        stop = min(start + count, n_rows)
        batch = encode([cells.part(start, stop) for cells in columns])
        yield batch
        count = max(1, min(4 * count, count * BATCH_BYTES // len(batch)))
        start = stop


def _columns_of(data: Any, names: list[str] | None, media: list[Rich]) -> list[tuple[str, Cells]]:
    found = frame_columns(data)
    if found is None and isinstance(data, Mapping):
        found = list(data.items())
    if found is None:
        found = _from_rows(data, names)
    columns = [(storable_text(str(name)), cells) for name, cells in found]
    if names is not None and [name for name, _ in columns] != names:
        columns = _chosen(data, columns, names)
    _check_names(data, [name for name, _ in columns])
    return [(name, _cells(data, name, cells, media)) for name, cells in columns]


def _cells(data: Any, name: str, cells: Any, media: list[Rich]) -> Cells:
    if hasattr(cells, "dtype") and hasattr(cells, "ndim"):
        if not cells.ndim:
            raise RichValueError("Table", data, f"column {name!r} is one value; pass a list of them")
        return cells_of_array(cells, media)
    if isinstance(cells, str | bytes | Mapping) or not isinstance(cells, Sequence):
        raise RichValueError("Table", data, f"column {name!r} is a {type(cells).__name__}; pass a list")
    return cells_of(cells if isinstance(cells, list) else list(cells), media)


def _chosen(data: Any, columns: list[tuple[str, Any]], names: list[str]) -> list[tuple[str, Any]]:
    by_name = dict(columns)
    for name in names:
        if name not in by_name:
            raise RichValueError(
                "Table", data, f"it has no column {name!r}; it has {', '.join(by_name)[:200]}"
            )
    return [(name, by_name[name]) for name in names]


def _check_names(data: Any, names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise RichValueError("Table", data, f"there are two columns {twice!r}; give each a name of its own")
    if len(names) > MOST_COLUMNS:
        reason = f"it has {len(names)} columns and can have {MOST_COLUMNS}; log its other half as another one"
        raise RichValueError("Table", data, reason)


def _common_length(columns: list[tuple[str, Cells]]) -> int:
    lengths = {len(cells.values): name for name, cells in columns}
    if len(lengths) > 1:
        (first, name), (second, other) = list(lengths.items())[:2]
        reason = f"column {name!r} has {first} cells and {other!r} {second}; all must have as many"
        raise RichValueError("Table", columns, reason)
    return next(iter(lengths), 0)


def _from_rows(data: Any, names: list[str] | None) -> list[tuple[str, Any]]:
    """Return the columns of a list of dicts, or of rows whose columns are named."""
    if hasattr(data, "ndim") and hasattr(data, "dtype"):
        return _from_array(data, names)
    if isinstance(data, str | bytes) or not isinstance(data, Sequence):
        raise RichValueError(
            "Table", data, "it cannot be read twice; pass a list of rows, or a dict of columns"
        )
    types = set(map(type, data))
    if all(issubclass(kind, Mapping) for kind in types):
        return _from_dicts(data, names or [])
    if names is None:
        row = next(row for row in data if not isinstance(row, Mapping))
        raise RichValueError("Table", row, "without columns=[…] each row must be a dict")
    if not types <= {list, tuple}:
        data = [list(row) for row in data]
    if set(map(len, data)) - {len(names)}:
        number, row = next((i, row) for i, row in enumerate(data) if len(row) != len(names))
        raise RichValueError("Table", row, f"row {number} has {len(row)} cells for {len(names)} columns")
    return [(name, list(map(itemgetter(i), data))) for i, name in enumerate(names)]


def _from_array(array: Any, names: list[str] | None) -> list[tuple[str, Any]]:
    if array.ndim != 2 or names is None or len(names) != array.shape[1]:
        reason = (
            f"its shape is {tuple(array.shape)}; pass rows × columns, and columns=[…] with a name for each"
        )
        raise RichValueError("Table", array, reason)
    return [(name, array[:, i]) for i, name in enumerate(names)]


def _from_dicts(rows: Sequence[Any], names: list[str]) -> list[tuple[str, list[Any]]]:
    if rows and set(map(type, rows)) == {dict} and set(map(len, rows)) == {len(rows[0])}:
        try:  # the same keys in each, as nearly always
            return [(key, list(map(itemgetter(key), rows))) for key in rows[0]]
        except KeyError:
            pass
    keys: dict[Any, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(row))
    if not keys:
        return [(name, []) for name in names] if not rows else []
    return [(key, [row.get(key) for row in rows]) for key in keys]
