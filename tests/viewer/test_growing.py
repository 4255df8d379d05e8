from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.growing import Growing
from kohakuboard_viewer.reduce import Curve, Reduction
from kohakuboard_viewer.smooth import Smoothing

INT64 = np.iinfo(np.int64)
ODD = [math.nan, math.inf, -math.inf, -0.0, 0.0, 1.7e308, -1.7e308, 5e-324]
STEPS = st.integers(-50, 300) | st.sampled_from([INT64.min, INT64.max, -(2**40), 2**40])

Piece = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    """Draw what is logged bit by bit: mostly on and on, now and then at equal, lower or far steps."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found: list[Piece] = []
    step, stride = draw(st.integers(-5, 5)), draw(st.sampled_from([1, 1, 7, 2**30]))
    for size in draw(st.lists(st.sampled_from([0, 1, 1, 1, 2, 60, 800]), min_size=1, max_size=12)):
        x = step + stride * np.arange(size)
        kind = draw(st.sampled_from(["on", "on", "on", "on", "jump", "equal", "lower", "any"]))
        if kind == "jump":
            x = x + draw(st.integers(1, 1000))
        elif kind == "equal" and size:
            x = np.repeat(x[: -(-size // 3)], 3)[:size]
        elif kind == "lower" and size:
            x = np.sort(random.integers(step - 100, step + 100, size))
        elif kind == "any":
            x = np.array(draw(st.lists(STEPS, min_size=min(size, 5), max_size=min(size, 5))), np.int64)
        y = random.normal(size=len(x))
        odd = random.random(len(x)) < draw(st.sampled_from([0, 0, 0.02, 0.7, 1]))
        y[odd] = random.choice(ODD, size=int(odd.sum()))
        found.append((x.astype(np.int64), y))
        if len(x) and abs(int(x[-1])) < 2**50:
            step = int(x[-1]) + stride
    return found if any(len(x) for x, _ in found) else [(np.array([step]), np.array([1.0]))]


def to_the_bit(found: Reduction) -> list[bytes | None]:
    columns = [getattr(found, each.name) for each in fields(found)]
    return [None if column is None else column.dtype.char.encode() + column.tobytes() for column in columns]


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int, int, bool]:
    ends = sorted(draw(st.lists(STEPS | st.integers(0, 4000), min_size=2, max_size=2)))
    return ends[0], ends[1], draw(st.integers(1, 12)), draw(st.booleans())


@settings(deadline=None)
@given(pieces(), st.data())
def test_a_curve_that_grew_is_what_a_curve_of_all_its_points_is_to_the_bit(
    logged: list[Piece], data: st.DataObject
) -> None:
    first = next(i for i, (x, _) in enumerate(logged) if len(x))
    curve = Curve(*logged[first])
    curve.reduce(curve.first, curve.last, 3)
    points = logged[first]
    for i in range(first + 1, len(logged)):
        before, was = curve, to_the_bit(curve.reduce(curve.first, curve.last, 2))
        curve = curve.grown(*logged[i])
        assert to_the_bit(before.reduce(before.first, before.last, 2)) == was
        xs, ys = zip(*logged[: i + 1], strict=True)
        points = np.concatenate(xs), np.concatenate(ys)
        if len(curve) == len(logged[first][0]):
            continue  # levels of the first curve are made of each other
        asked = data.draw(st.lists(windows() | st.just((curve.first, curve.last, 3, False)), max_size=3))
        for lo, hi, buckets, shared in asked:
            found, expected = (one.reduce(lo, hi, buckets, shared=shared) for one in (curve, Curve(*points)))
            assert to_the_bit(found) == to_the_bit(expected)
    whole = Curve(*points)
    assert (len(curve), curve.first, curve.last) == (len(whole), whole.first, whole.last)
    assert type(curve._at) is type(whole._at)
    assert curve.x.tobytes() == whole.x.tobytes()
    assert curve.values.tobytes() == whole.values.tobytes()
    for ours, theirs in zip(curve.between(-200, 500), whole.between(-200, 500), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    if len(curve) > len(logged[first][0]):
        averages = [
            one.reduce(one.first, one.last, 5, smooth=Smoothing("ema", 0.9)) for one in (curve, whole)
        ]
        assert to_the_bit(averages[0]) == to_the_bit(averages[1])


def test_levels_that_were_made_of_levels_are_made_anew() -> None:
    x, y = np.arange(4001), np.random.default_rng(0).normal(size=4001)
    curve = Curve(x[:-1], y[:-1])
    fine, coarse = (curve.reduce(0, 3999, buckets) for buckets in (16, 2))
    assert len(fine.count) > len(coarse.count)
    assert to_the_bit(coarse) != to_the_bit(Curve(x[:-1], y[:-1]).reduce(0, 3999, 2))
    grown = curve.grown(x[-1:], y[-1:])
    assert to_the_bit(grown.reduce(0, 4000, 2)) == to_the_bit(Curve(x, y).reduce(0, 4000, 2))


def test_a_range_goes_on_as_a_range() -> None:
    curve = Curve(range(10, 40, 10), np.arange(3.0))
    assert curve.grown(np.array([40]), np.array([3.0]))._at == Curve(range(10, 50, 10), np.arange(4.0))._at
    assert curve.grown(range(41, 43), np.array([3.0, 4.0])).x.tolist() == [10, 20, 30, 41, 42]
    assert curve.grown(np.array([40, 40, 60]), np.arange(3.0)).x.tolist() == [10, 20, 30, 40, 40, 60]
    assert curve.grown(np.array([], np.int64), np.array([])) is curve


def test_points_that_come_one_by_one_are_not_copied_each_time() -> None:
    held = Growing(np.arange(1000))
    rooms = set()
    for i in range(1000, 3000):
        held = held.grown(np.array([i]))
        rooms.add(id(held.array.base))
        assert held.nbytes <= 1.2 * held.array.nbytes + 8 * 64
    assert held.array.tolist() == list(range(3000))
    assert len(rooms) < 20


@pytest.mark.parametrize("values", [0.5, math.nan])
def test_a_curve_counts_all_the_memory_that_it_holds(values: float) -> None:
    x = np.arange(10_000) ** 2
    curve = Curve(x, np.full(10_000, values)).grown(np.array([10**9]), np.array([values]))
    held = {id(part.base): part.base for part in (curve.x, curve.values, curve._bad, curve._odd)}
    rooms = [base for base in held.values() if base is not None and len(base) > 10_000]
    assert len(rooms) == (2 if values == 0.5 else 4)
    assert curve.nbytes >= sum(room.nbytes for room in rooms)
    assert curve.nbytes < sum(room.nbytes for room in rooms) + 4096


def test_of_two_that_grow_from_one_each_has_its_own_points() -> None:
    """Two requests may find one curve in the cache, each with other news."""
    start = Growing(np.arange(100)).grown(np.arange(1))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: start.grown(np.full(1 + i % 7, i)), range(400)))
    for i, each in enumerate(found):
        assert each.array.tolist() == [*range(100), 0, *[i] * (1 + i % 7)]
