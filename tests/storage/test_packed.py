from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard.storage.overview import Reach
from kohakuboard.storage.packed import Packed, PackedMetrics, PackedReaches, last_values, latest_step, packed
from kohakuboard.storage.summary import Metric

WHOLE = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.tuples(st.floats(allow_nan=False), WHOLE) | st.just((math.nan, None))


@st.composite
def metric(draw: st.DrawFn, name: str) -> Metric:
    (low, low_step), (high, high_step) = draw(FINITE), draw(FINITE)
    count, nonfinite, last_step, last_time_us, step_lo, step_hi = (draw(WHOLE) for _ in range(6))
    last, total = draw(NUMBERS), draw(NUMBERS)
    return Metric(
        name,
        count,
        nonfinite,
        last,
        last_step,
        last_time_us,
        low,
        low_step,
        high,
        high_step,
        total,
        step_lo,
        step_hi,
    )


@st.composite
def metrics(draw: st.DrawFn) -> dict[str, Metric]:
    names = draw(st.lists(st.text(max_size=9), unique=True, max_size=5))
    return {name: draw(metric(name)) for name in names}


def packed_alone(found: Mapping[str, Metric]) -> Packed:
    return packed(found, {name: Reach(None, None) for name in found})


@given(metrics())
def test_metrics_come_out_as_they_went_in(found: dict[str, Metric]) -> None:
    again = PackedMetrics(packed_alone(found))
    assert list(again) == list(again.keys()) == list(found)
    assert len(again) == len(found)
    assert repr(list(again.values())) == repr(list(found.values())), "repr, since nan is not equal to itself"
    assert again.get("a name of more than nine") is None
    assert "a name of more than nine" not in again


@given(metrics(), st.lists(st.text(max_size=9)))
def test_last_values_and_the_latest_step_are_those_of_the_metrics(
    found: dict[str, Metric], more: list[str]
) -> None:
    again, names = PackedMetrics(packed_alone(found)), [*reversed(found), *more]
    assert repr(last_values(again, names)) == repr(last_values(found, names))
    assert repr(last_values(found, names)[: len(found)]) == repr(
        [found[name].last for name in reversed(found)]
    )
    assert latest_step(again) == latest_step(found) == max((m.step_hi for m in found.values()), default=None)


@given(metrics(), st.data())
def test_reaches_come_out_as_they_went_in(found: dict[str, Metric], data: st.DataObject) -> None:
    reach = st.builds(Reach, st.none() | WHOLE, st.none() | WHOLE)
    reaches = {name: data.draw(reach) for name in found}
    again = PackedReaches(packed(found, reaches))
    assert dict(again) == reaches
    assert len(again) == len(reaches)


@given(metrics().filter(bool), st.integers(1, 95))
def test_rows_that_are_cut_short_are_refused(found: dict[str, Metric], n_bytes: int) -> None:
    whole = packed_alone(found)
    with pytest.raises(ValueError, match="metrics in"):
        PackedMetrics(Packed(whole.names, whole.rows[:-n_bytes], whole.reaches))
    with pytest.raises(msgspec.DecodeError):
        PackedMetrics(Packed(whole.names[:-1], whole.rows, whole.reaches))
