"""Unpack the rows of tables, a batch at a time, into what SQLite holds; see client/rich/cells.py for what comes in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import numpy as np

from ...storage.media import MediaStore
from ...storage.rich.tables import KINDS, NAN, TableRow
from .base import UnreadableItemError, bytes_of, readable, staged_path

__all__ = ["encode_table"]

MOST_COLUMNS: Final = 1000
_LARGEST: Final = 2**63 - 1

# What msgpack makes of the cells of each kind, None beside them.
_TYPES: Final[dict[str, set[type]]] = {
    "number": {int, float, str},
    "number or none": {int, float, str},
    "text": {str},
    "bool": {bool},
    "date": {str},
    "datetime": {str},
    "duration": {int},
    "bytes": {bytes},
    "json": {list, dict},
    "media": {int},
    "mixed": {int, float, str, list},
}


def encode_table(item: Mapping[str, Any], shard: Path, media: MediaStore) -> TableRow:
    """Store the media of a table, and return it with rows that are read when it is written."""
    columns, kinds = item["columns"], item["kinds"]
    if len(columns) != len(kinds) or len(columns) > MOST_COLUMNS or not set(kinds) <= set(KINDS):
        raise ValueError(f"{len(columns)} columns of the kinds {kinds} are no table")
    if item["n_rows"] < 0 or (item["n_rows"] and not columns):
        raise ValueError(f"{item['n_rows']} rows of {len(columns)} columns are no table")
    pictures = [_media_text(picture, shard, media) for picture in item["media"]]
    for batch in item["batches"]:
        if "staged" in batch:
            staged_path(batch, shard)  # raises where it is not whole
    return TableRow(columns, kinds, item["n_rows"], lambda: _batches(item, shard, pictures))


def _batches(item: Mapping[str, Any], shard: Path, pictures: Sequence[str]) -> Iterator[list[Sequence[Any]]]:
    """Yield columns of as many cells as SQLite takes them. Raises UnreadableItemError."""
    n_rows = 0
    for batch in item["batches"]:
        with readable():
            found = msgspec.msgpack.decode(bytes_of(batch, shard), type=list[Any])
            cells = [
                _column(kind, values, pictures) for kind, values in zip(item["kinds"], found, strict=True)
            ]
            if len(set(map(len, cells))) > 1:
                raise ValueError("its columns are not of one length")
            n_rows += len(cells[0])
        yield cells
    if n_rows != item["n_rows"]:
        raise UnreadableItemError(f"{n_rows} rows are there of {item['n_rows']}")


def _media_text(item: Mapping[str, Any], shard: Path, media: MediaStore) -> str:
    """Return JSON that says what a picture in a cell is; where it cannot be stored, why not."""
    from . import encode

    try:
        row = encode(item, shard, media)
    except UnreadableItemError as exc:
        return json.dumps({"problem": str(exc)})
    return json.dumps({"type": item["type"], **asdict(cast(Any, row))}, ensure_ascii=False)


def _column(kind: str, cells: Any, pictures: Sequence[str]) -> Sequence[Any]:
    if isinstance(cells, dict):
        return _of_array(np.frombuffer(cells["data"], dtype=cells["dtype"]))
    types = set(map(type, cells)) - {type(None)}
    if not types <= _TYPES[kind]:
        raise ValueError(f"a column of {kind} holds {', '.join(sorted(one.__name__ for one in types))}")
    if kind == "mixed":
        return [_mixed(cell, pictures) for cell in cells]
    if kind == "json":
        return [None if cell is None else _json(cell) for cell in cells]
    if kind == "media":
        return [None if cell is None else pictures[cell] for cell in cells]
    # In a column where None is none of the cells, NULL stands for NaN, which SQLite makes of it by itself.
    if kind == "number or none" and float in types:
        cells = [NAN if cell != cell else cell for cell in cells]
    if int in types:
        cells = [str(cell) if type(cell) is int and cell > _LARGEST else cell for cell in cells]
    return list(cells)


def _of_array(array: Any) -> Sequence[Any]:
    if array.dtype.kind == "M":
        texts = np.datetime_as_string(array).tolist()
        return [None if text == "NaT" else text for text in texts]
    if array.dtype.kind == "m":
        numbers = array.astype("<m8[us]").view(np.int64).tolist()
        return [None if gone else number for number, gone in zip(numbers, np.isnat(array), strict=True)]
    if array.dtype.kind not in "biuf":
        raise ValueError(f"an array of {array.dtype} is no column")
    numbers = array.tolist()
    if array.dtype == np.uint64 and len(array) and array.max() > _LARGEST:
        return [str(number) if number > _LARGEST else number for number in numbers]
    return list(numbers)


def _mixed(cell: Any, pictures: Sequence[str]) -> Any:
    """Return numbers and texts as they are, and all else as a blob of JSON: {kind: cell}."""
    if isinstance(cell, list):
        kind, inner = cell
        if kind == "mixed" or kind not in _TYPES:
            raise ValueError(f"a cell cannot be of the kind {kind!r}")
        (value,) = _column(kind, [inner], pictures)
        return _json({kind: value.hex() if isinstance(value, bytes) else value}).encode()
    if cell != cell:
        return NAN
    return str(cell) if type(cell) is int and cell > _LARGEST else cell


def _json(value: Any) -> str:
    # What JSON cannot hold, no board writes.
    return json.dumps(value, ensure_ascii=False, default=repr, skipkeys=True)
