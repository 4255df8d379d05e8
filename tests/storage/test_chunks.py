from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kohakuboard.storage.chunks import CHUNK_POINTS, SCHEMA, Points, Series, decode, decode_steps, encode
from kohakuboard.storage.rechunk import KEYS, rechunk

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
        shards=np.zeros(len(lengths), np.int64),
        seq_hi=np.full(len(lengths), INT64.max),
        ord_lo=np.array(ord_lo or [0] * len(lengths)),
        lengths=np.array(lengths),
    )


def assert_same(found: Points, expected: Points) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def merge(*fragments: pa.Table, batch_numbers: int = 10**6) -> pa.Table:
    """Merge fragments as the store does."""
    rows = pa.concat_tables(fragments)

    def take(places: np.ndarray[Any, np.dtype[np.int64]], columns: Sequence[str]) -> pa.Table:
        return rows.select(columns).take(places)

    return pa.concat_tables(rechunk(rows.select(KEYS), take, batch_numbers=batch_numbers))


def flush_of(calls: list[list[str]], first_seq: int, next_ordinal: dict[str, int]) -> pa.Table:
    """Return the chunks of a flush in which each call logged some metrics: the value tells metric and seq."""
    seqs: dict[str, list[int]] = {}
    for seq, names in enumerate(calls, first_seq):
        for name in names:
            seqs.setdefault(name, []).append(seq)
    axes: dict[tuple[int, ...], int] = {}
    numbers = [axes.setdefault(tuple(of_metric), len(axes)) for of_metric in seqs.values()]
    lengths = [len(of_metric) for of_metric in seqs.values()]
    ord_lo = [next_ordinal.get(name, 0) for name in seqs]
    for name, length in zip(seqs, lengths, strict=True):
        next_ordinal[name] = next_ordinal.get(name, 0) + length
    axis = np.array([seq for of_axis in axes for seq in of_axis])
    values = [100.0 * seq + len(name) for name, of_metric in seqs.items() for seq in of_metric]
    flushed = series(lengths, ord_lo, list(seqs))._replace(axes=np.array(numbers))
    return encode(flushed, Points(axis, 3 * axis, axis**2, np.array(values)))


def points_by_metric(table: pa.Table) -> dict[str, list[tuple[float, ...]]]:
    """Return (ordinal, seq, step, time, value) of each metric, in order."""
    found: dict[str, list[tuple[float, ...]]] = {}
    decoded = zip(*(column.tolist() for column in decode(table)), strict=True)
    for metric, ord_lo, n in zip(
        *(table[name].to_pylist() for name in ("metric", "ord_lo", "n")), strict=True
    ):
        found.setdefault(metric, []).extend((ord_lo + i, *next(decoded)) for i in range(n))
    return {metric: sorted(of_metric) for metric, of_metric in found.items()}


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
@given(flat_points())
def test_steps_alone_are_the_same_ones(case: tuple[list[int], Points]) -> None:
    lengths, given_points = case
    table = encode(series(lengths), given_points)
    steps = decode_steps(table, np.arange(len(lengths)), lambda rows, names: table.select(names).take(rows))
    assert list(steps) == given_points.steps.tolist()


@pytest.mark.parametrize("by", [1, 3])
def test_even_steps_are_a_range(by: int) -> None:
    steps = -7 + by * np.arange(9)
    table = encode(series([1, 5, 1, 2]), points(9)._replace(steps=steps))
    found = decode_steps(table, np.arange(4), lambda rows, names: table.select(names).take(rows))
    assert found == range(-7, -7 + 9 * by, by)


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
    merged = merge(*(flushes[i] for i in order))
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
    assert table["n"].to_pylist() == [CHUNK_POINTS, CHUNK_POINTS + 3]
    assert table["ord_lo"].to_pylist() == [10, 10 + CHUNK_POINTS]
    assert_same(decode(table), given_points)


@pytest.mark.parametrize("by", [1, 3, -1, 0, 2**62])
@pytest.mark.parametrize("first", [0, -5, INT64.max - 7, INT64.min])
def test_long_chunks_are_read_back_exactly(first: int, by: int) -> None:
    with np.errstate(over="ignore"):
        even = np.int64(first) + np.arange(5000) * np.int64(by)
    uneven = points(5000).seqs
    given_points = Points(
        np.append(even, uneven), np.append(uneven, even), np.append(even, even), np.zeros(10_000)
    )
    assert_same(decode(encode(series([5000, 5000]), given_points)), given_points)


def test_even_numbers_cost_nothing() -> None:
    n = 1000
    table = encode(series([n]), Points(np.arange(n), 5 * np.arange(n), np.full(n, 9), np.zeros(n)))
    assert [table[name].to_pylist() for name in ("seqs", "steps", "times")] == [[[]], [[]], [[]]]
    assert [table[name].to_pylist() for name in ("seq_by", "step_by", "time_by")] == [[1], [5], [0]]


@pytest.mark.parametrize("n", [100, 5000])
def test_numbers_that_skip_now_and_then_cost_two_for_each_gap(n: int) -> None:
    seqs = np.arange(n)
    seqs[n // 3 :] += 2
    seqs[n // 2 :] += 7
    steps = 10 * np.arange(n)
    steps[-1] += 1
    uneven = np.arange(n) ** 2
    given_points = Points(
        np.append(seqs, seqs + n), np.append(steps, uneven), np.append(uneven, -steps), np.zeros(2 * n)
    )
    table = encode(series([n, n]), given_points)
    assert_same(decode(table), given_points)
    assert table["seq_gaps"].to_pylist() == [2, 2]
    assert [len(items) for items in table["seqs"].to_pylist()] == [4, 4]
    assert table["step_gaps"].to_pylist() == [1, 0]
    assert [len(items) for items in table["steps"].to_pylist()] == [2, n]
    merged = pa.concat_tables(
        list(rechunk(table.select(KEYS), lambda rows, names: table.select(names).take(rows)))
    )
    assert_same(decode(merged), given_points)


def test_a_merge_keeps_metrics_and_shards_apart_and_the_highest_seq_of_their_flushes() -> None:
    flushes = []
    for number in range(3):
        numbers = np.full(3, number)
        flush = Series(["b", "a", "a"], np.array([0, 0, 1], np.int64), numbers, numbers, np.ones(3, np.int64))
        flushes.append(encode(flush, points(3, seed=number)))
    merged = merge(*flushes)
    rows = merged.select(["metric", "shard", "seq_hi", "ord_lo", "n"]).to_pylist()
    found = sorted(tuple(row.values()) for row in rows)
    assert found == [("a", 0, 2, 0, 3), ("a", 1, 2, 0, 3), ("b", 0, 2, 0, 3)]


calls_of_some_metrics = st.lists(
    st.sampled_from([["a", "bb"], ["a"], ["bb", "a", "ccc"], ["dddd"], []]), min_size=1, max_size=8
)


@settings(max_examples=150, deadline=None)
@given(st.lists(calls_of_some_metrics.filter(any), min_size=1, max_size=6), st.integers(1, 30), st.data())
def test_metrics_that_share_their_axes_are_merged_exactly(
    flushes: list[list[list[str]]], batch_numbers: int, data: st.DataObject
) -> None:
    next_ordinal: dict[str, int] = {}
    tables, seq = [], 0
    for calls in flushes:
        tables.append(flush_of(calls, seq, next_ordinal))
        seq += len(calls)
    everything = [names for calls in flushes for names in calls]
    expected = {
        metric: [
            (ordinal, seq, 3 * seq, seq**2, 100.0 * seq + len(metric))
            for ordinal, seq in enumerate(seq for seq, names in enumerate(everything) if metric in names)
        ]
        for metric in next_ordinal
    }
    cut = data.draw(st.integers(0, len(tables) - 1))
    merged = merge(*tables[cut:], batch_numbers=batch_numbers)
    assert merged.schema == SCHEMA
    merged.validate(full=True)
    assert points_by_metric(pa.concat_tables(tables)) == expected
    again = merge(*tables[:cut], merged)
    assert points_by_metric(again) == expected


def test_what_was_logged_in_one_call_is_there_once() -> None:
    next_ordinal: dict[str, int] = {}
    calls = [["a", "bb"], ["a", "bb"], ["a", "bb"]]
    flushes = [flush_of(calls, 0, next_ordinal), flush_of(calls, 3, next_ordinal)]
    for table in (*flushes, merge(*flushes)):
        assert table["axis"].to_pylist() == [0, 1]
        assert [len(times) for times in table["times"].to_pylist()] == [table["n"][0].as_py(), 0]
        assert table["time_hi"][0] == table["time_hi"][1]
