"""Take the columns out of data frames, of pandas, polars and Arrow, without importing any of them."""

from __future__ import annotations

from typing import Any

__all__ = ["frame_columns"]


def frame_columns(data: Any) -> list[tuple[Any, Any]] | None:
    """Return names and columns, lists or arrays; None for what is no data frame."""
    for kind in type(data).__mro__:
        take = _TAKERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if take is not None:
            return take(data)
    return None


def _of_pandas(frame: Any) -> list[tuple[Any, Any]]:
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    # By place: two columns may have one name, which is refused in words later.
    return [(_name(name), _of_pandas_column(frame.iloc[:, i])) for i, name in enumerate(frame.columns)]


def _name(name: Any) -> str:
    return "/".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _of_pandas_column(series: Any) -> Any:
    # Not an extension of pandas: those have a kind, too, and say with it what NumPy would make of them.
    if type(series.dtype).__module__.startswith("numpy") and series.dtype.kind in "biufMm":
        return series.to_numpy()
    # What is missing is NaN, NaT or NA there.
    missing = series.isna().to_numpy()
    cells = series.astype(object).tolist()
    return (
        [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
        if missing.any()
        else cells
    )


def _of_arrow(table: Any) -> list[tuple[Any, Any]]:
    return list(zip(table.schema.names, map(_of_arrow_column, table.columns), strict=True))


def _of_arrow_column(column: Any) -> Any:
    number = str(column.type) in _NUMBERS and not column.null_count
    return column.to_numpy() if number else column.to_pylist()


def _of_polars(frame: Any) -> list[tuple[Any, Any]]:
    return [(series.name, _of_polars_column(series)) for series in frame.get_columns()]


def _of_polars_column(series: Any) -> Any:
    return series.to_numpy() if series.dtype.is_numeric() and not series.null_count() else series.to_list()


_NUMBERS = {"float", "double", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
_TAKERS = {
    ("pandas", "DataFrame"): _of_pandas,
    ("pyarrow", "Table"): _of_arrow,
    ("pyarrow", "RecordBatch"): _of_arrow,
    ("polars", "DataFrame"): _of_polars,
}
