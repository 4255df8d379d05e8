from __future__ import annotations

import numpy as np

from kohakuboard.storage.count_codes import codes_of, counts_of


def test_counts_up_to_16_are_exact_and_larger_ones_off_by_6_percent_at_most() -> None:
    few = np.arange(17)
    assert counts_of(codes_of(few)).tolist() == few.tolist()
    many = np.unique(np.geomspace(16, 1.6e10, 100_000).astype(np.int64))
    assert (np.abs(counts_of(codes_of(many)) - many) / many).max() <= 0.06


def test_each_code_stands_for_a_count_of_its_own() -> None:
    codes = np.arange(256).astype(np.uint8)
    assert codes_of(counts_of(codes)).tolist() == codes.tolist()
    assert codes_of(np.array([2**62])).tolist() == [255]
