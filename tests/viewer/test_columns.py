from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kohakuboard_viewer.columns import decode, encode

COLUMNS = st.one_of(
    *(arrays(dtype, st.integers(0, 30)) for dtype in (np.float64, np.float32, np.int32)),
)


@given(
    st.dictionaries(st.text(min_size=1), COLUMNS, max_size=5),
    st.dictionaries(st.text(), st.integers() | st.none()),
)
def test_what_is_encoded_is_decoded(columns: dict[str, np.ndarray], header: dict[str, int | None]) -> None:
    header.pop("columns", None)
    found, told = decode(encode(columns, header))
    assert told == header
    assert list(found) == list(columns)
    for name, column in columns.items():
        assert found[name].dtype == column.dtype
        np.testing.assert_array_equal(found[name], column)


def test_every_column_is_aligned_for_a_typed_array() -> None:
    message = encode({"a": np.arange(3, dtype=np.int32), "b": np.arange(2.0)}, {"x": "ä"})
    length = struct.unpack_from("<I", message, 4)[0]
    assert (8 + length) % 8 == 0
    assert [spec["offset"] for spec in json.loads(message[8 : 8 + length])["columns"]] == [0, 16]


def test_a_header_cannot_hide_the_columns() -> None:
    with pytest.raises(ValueError, match="columns"):
        encode({}, {"columns": []})


def test_a_header_holds_no_nan_since_json_has_none() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({}, {"last": float("nan")})


@pytest.mark.parametrize("column", [np.arange(3), np.array(["a"]), np.zeros((2, 2))])
def test_a_column_of_another_kind_is_refused(column: np.ndarray) -> None:
    with pytest.raises(ValueError, match="column 'a'"):
        encode({"a": column}, {})


def test_something_else_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="KBC1"):
        decode(b"<!doctype html>")
