from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kohakuboard.storage.chunks import CHUNK_POINTS, SCHEMA, Points, Series, decode, encode, merge

INT64 = np.iinfo(np.int64)
any_int64 = st.integers(INT64.min, INT64.max)
any_float64 = st.floats(allow_nan=True, allow_infinity=True)


def points(n: int, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    seqs, steps, times = (rng.integers(INT64.min, INT64.max, n, endpoint=True) for _ in range(3))
    return Points(seqs, steps, times, rng.normal(size=n))


def part(whole: Points, start: int, stop: int) -> Points:
    seqs, steps, times, values = whole
    return Points(seqs[start:stop], steps[start:stop], times[start:stop], values[start:stop])


def series(lengths: list[int], ord_lo: list[int] | None = None, metrics: list[str] | None = None) -> Series:
    return Series(
        metrics=metrics or [f"m{i}" for i in range(len(lengths))],
        shards=np.zeros(len(lengths), np.int16),
        seq_hi=np.full(len(lengths), INT64.max),
        ord_lo=np.array(ord_lo or [0] * len(lengths)),
        lengths=np.array(lengths),
    )


def assert_same(found: Points, expected: Points) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def integers(n: int) -> st.SearchStrategy[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    regular = st.builds(lambda lo, by: lo + by * np.arange(n), st.integers(-100, 100), st.integers(-9, 9))
    return st.one_of(
        hnp.arrays(np.int64, n, elements=any_int64),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)),
        regular,
    )


@st.composite
def flat_points(draw: st.DrawFn) -> tuple[list[int], Points]:
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    n = sum(lengths)
    seqs, steps, times = (draw(integers(n)) for _ in range(3))
    return lengths, Points(seqs, steps, times, draw(hnp.arrays(np.float64, n, elements=any_float64)))


@settings(max_examples=150, deadline=None)
@given(flat_points())
def test_any_points_are_read_back_exactly(case: tuple[list[int], Points]) -> None:
    lengths, given_points = case
    table = encode(series(lengths), given_points)
    assert table.schema == SCHEMA
    table.validate(full=True)
    assert_same(decode(table), given_points)


@settings(max_examples=150, deadline=None)
@given(flat_points(), st.randoms(use_true_random=False), st.booleans())
def test_a_merge_keeps_points_and_order_and_equals_one_flush(
    case: tuple[list[int], Points], random: Random, is_gap: bool
) -> None:
    lengths, given_points = case
    ends = np.cumsum(lengths)
    gap = int(is_gap) * 7
    flushes = [
        encode(
            series([length], [int(end) - length + gap * number], ["m"]),
            part(given_points, end - length, end),
        )
        for number, (length, end) in enumerate(zip(lengths, ends.tolist(), strict=True))
    ]
    order = list(range(len(flushes)))
    random.shuffle(order)
    merged = merge(pa.concat_tables([flushes[i] for i in order]))
    assert_same(decode(merged), given_points)
    if gap:
        assert merged["ord_lo"].to_pylist() == [flush["ord_lo"][0].as_py() for flush in flushes]
    else:
        at_once = encode(series([sum(lengths)], metrics=["m"]), given_points)
        # Python has no dates so far away, and the times were compared above. In a text nan equals nan.
        columns = [name for name in SCHEMA.names if not name.startswith("time")]
        assert repr(merged.select(columns).to_pydict()) == repr(at_once.select(columns).to_pydict())


def test_statistics_are_of_finite_values_and_null_without_any() -> None:
    values = np.array([np.nan, 3.0, -1.0, np.inf, 2.0, np.nan, -np.inf, np.nan])
    steps = np.array([5, -7, 9, 0, 1, 4, 4, 4])
    table = encode(series([6, 2]), Points(np.arange(8), steps, np.arange(8), values))
    names = ["n", "n_nonfinite", "vmin", "vmax", "vsum", "last", "step_lo", "step_hi"]
    rows = table.select(names).to_pylist()
    assert [list(row.values()) for row in rows] == [
        [6, 3, -1.0, 3.0, 4.0, 2.0, -7, 9],
        [2, 2, None, None, None, None, 4, 4],
    ]


def test_a_long_series_becomes_chunks_of_bounded_length() -> None:
    given_points = points(2 * CHUNK_POINTS + 3)
    table = encode(series([2 * CHUNK_POINTS + 3], [10]), given_points)
    assert table["n"].to_pylist() == [CHUNK_POINTS, CHUNK_POINTS, 3]
    assert table["ord_lo"].to_pylist() == [10, 10 + CHUNK_POINTS, 10 + 2 * CHUNK_POINTS]
    assert_same(decode(table), given_points)


def test_even_numbers_cost_nothing() -> None:
    n = 1000
    table = encode(series([n]), Points(np.arange(n), 5 * np.arange(n), np.full(n, 9), np.zeros(n)))
    assert [table[name].to_pylist() for name in ("seqs", "steps", "times")] == [[[1]], [[5]], [[0]]]


def test_a_merge_keeps_metrics_and_shards_apart_and_the_highest_seq_of_their_flushes() -> None:
    flushes = []
    for number in range(3):
        numbers = np.full(3, number)
        flush = Series(["b", "a", "a"], np.array([0, 0, 1], np.int16), numbers, numbers, np.ones(3, np.int64))
        flushes.append(encode(flush, points(3, seed=number)))
    merged = merge(pa.concat_tables(flushes))
    rows = merged.select(["metric", "shard", "seq_hi", "ord_lo", "n"]).to_pylist()
    found = sorted(tuple(row.values()) for row in rows)
    assert found == [("a", 0, 2, 0, 3), ("a", 1, 2, 0, 3), ("b", 0, 2, 0, 3)]
