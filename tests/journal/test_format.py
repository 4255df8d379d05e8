"""What the checksum of a record must find: flipped bits, and ranges that a torn write left zero."""

from __future__ import annotations

import struct

from hypothesis import assume, given
from hypothesis import strategies as st

from kohakuboard.journal.format import RECORD_BYTES, checksum

doubles = st.lists(st.floats(), min_size=1, max_size=600)
seqs = st.integers(0, 2**40)


def record(seq: int, values: list[float]) -> bytes:
    """Return a row as the journal holds it, behind its checksum."""
    size = RECORD_BYTES + 8 * len(values)
    return struct.pack(f"<IQqqd{len(values)}d", size, 1, seq, seq, 1.7e9, *values)


@given(seqs, doubles, st.data())
def test_any_two_flipped_bits_are_found(seq: int, values: list[float], data: st.DataObject) -> None:
    whole = record(seq, values)
    bits = st.integers(0, 8 * len(whole) - 1)
    one, other = data.draw(bits), data.draw(bits)
    flipped = int.from_bytes(whole, "little") ^ 1 << one
    if other != one:
        flipped ^= 1 << other
    assert checksum(flipped.to_bytes(len(whole), "little")) != checksum(whole)


@given(seqs, doubles, st.data())
def test_any_range_that_became_zero_is_found(seq: int, values: list[float], data: st.DataObject) -> None:
    whole = record(seq, values)
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, len(whole)))
    assume(any(whole[start:stop]))
    assert checksum(whole[:start] + bytes(stop - start) + whole[stop:]) != checksum(whole)
