from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard.storage.merge import FAN_IN, next_merge

MAX_MERGE = 1_000_000
SEALED = MAX_MERGE // 2


def grown(flushes: list[int], *, final: bool = False) -> tuple[dict[int, int], int]:
    """Append and merge by the rules; return what there is in the end, and the points written by merges."""
    weights: dict[int, int] = {}
    rewritten = number = 0
    for flush in [*flushes, 0]:
        if flush:
            weights[number] = flush
            number += 1
        while group := next_merge(weights, largest=MAX_MERGE, final=final and not flush):
            total = sum(weights.pop(member) for member in group)
            weights[number] = total
            number += 1
            rewritten += total
    return weights, rewritten


def test_nothing_is_merged_before_a_class_is_full() -> None:
    assert next_merge(dict.fromkeys(range(FAN_IN - 1), 10), largest=MAX_MERGE) == []
    assert next_merge(dict.fromkeys(range(FAN_IN), 10), largest=MAX_MERGE) == list(range(FAN_IN))


def test_sealed_fragments_are_left_alone() -> None:
    assert next_merge(dict.fromkeys(range(100), SEALED), largest=MAX_MERGE, final=True) == []


def test_at_the_end_all_that_is_small_is_merged() -> None:
    assert next_merge({0: SEALED, 1: 5, 2: 40_000, 3: 1}, largest=MAX_MERGE, final=True) == [1, 2, 3]
    assert next_merge({0: SEALED, 1: 5}, largest=MAX_MERGE, final=True) == []


def test_ten_thousand_small_flushes_stay_few_fragments_and_are_rewritten_a_few_times() -> None:
    weights, rewritten = grown([100] * 10_000)
    assert len(weights) < 4 * FAN_IN
    assert rewritten < 4 * 1_000_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 2 * MAX_MERGE) | st.integers(1, 50), max_size=300), st.booleans())
def test_merging_ends_keeps_every_point_and_fits_in_memory(flushes: list[int], final: bool) -> None:
    weights, _ = grown(flushes, final=final)
    assert sum(weights.values()) == sum(flushes)
    assert all(weight <= MAX_MERGE or weight in flushes for weight in weights.values())
    small = [weight for weight in weights.values() if weight < SEALED]
    assert len(small) <= (1 if final else 4 * FAN_IN)
