from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.positions import Even, Uneven, positions_of

WHOLE = st.integers(-(2**62), 2**62)


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9), st.integers(2, 50), st.data())
def test_a_rule_answers_as_the_positions_themselves(
    first: int, stride: int, count: int, data: st.DataObject
) -> None:
    x = first + stride * np.arange(count)
    rule, held = positions_of(x), Uneven(x)
    assert isinstance(rule, Even)
    np.testing.assert_array_equal(rule[:], x)
    np.testing.assert_array_equal(rule[1:-1], x[1:-1])
    np.testing.assert_array_equal(rule[np.array([0, count - 1])], x[[0, -1]])
    for probe in (
        data.draw(WHOLE),
        first,
        first - 1,
        int(x[-1]),
        int(x[-1]) + 1,
        data.draw(st.sampled_from(x.tolist())),
    ):
        assert rule.at_least(probe) == held.at_least(probe)
        assert rule.beyond(probe) == held.beyond(probe)
    begin = data.draw(st.integers(0, count - 1))
    end, shift = data.draw(st.integers(begin + 1, count)), data.draw(st.integers(0, 50))
    np.testing.assert_array_equal(rule.borders(begin, end, shift), held.borders(begin, end, shift))


def test_a_range_is_what_its_numbers_are() -> None:
    assert positions_of(range(-3, 9, 4)) == positions_of(np.arange(-3, 9, 4)) == Even(-3, 4, 3)
    wide = range(-(2**63), 2**63, 2**62)
    assert positions_of(wide)[:].tolist() == list(wide)


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_any_positions_come_back_as_they_were(x: list[int]) -> None:
    rising = np.sort(np.array(x, dtype=np.int64))
    np.testing.assert_array_equal(positions_of(rising)[:], rising)


def test_steps_take_no_memory_and_times_do() -> None:
    assert positions_of(np.arange(0, 10**6, 5)).nbytes == 0
    assert positions_of(np.array([1, 2, 4])).nbytes == 24
