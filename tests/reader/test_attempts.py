from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard.reader.attempts import attempts_of, shown, statistics_by_step
from kohakuboard.storage.overview import Beginning, ShardOrigin

NOBODY = (None, None, None)


def steps_shown(*parts: tuple[int | None, list[int]]) -> list[list[int]]:
    arrays = [(at_step, np.array(steps, dtype=np.int64)) for at_step, steps in parts]
    return [steps[mask].tolist() for (_, steps), mask in zip(arrays, shown(arrays), strict=True)]


def begun(started_us: int, number: int | None = None, at_step: int | None = None) -> Beginning:
    return Beginning(number, at_step, "running", None, started_us, None, NOBODY)


def test_an_attempt_supersedes_what_lies_beyond_its_checkpoint() -> None:
    assert steps_shown((None, [0, 1, 2, 3, 4]), (2, [3])) == [[0, 1, 2], [3]]


def test_an_attempt_supersedes_what_it_logs_again_at_its_first_step() -> None:
    assert steps_shown((None, [0, 1, 2, 3]), (2, [2, 3])) == [[0, 1], [2, 3]]


def test_an_attempt_that_has_logged_nothing_yet_supersedes_all_the_same() -> None:
    assert steps_shown((None, [0, 1, 2]), (1, [])) == [[0, 1], []]


def test_without_a_checkpoint_an_attempt_goes_on_from_before_its_first_step() -> None:
    assert steps_shown((None, [0, 1, 2, 9]), (None, [2])) == [[0, 1], [2]]
    assert steps_shown((None, [0, 1]), (None, [])) == [[0, 1], []]


def test_a_later_attempt_that_goes_back_further_supersedes_those_between() -> None:
    assert steps_shown((None, [0, 1, 2, 3]), (2, [3, 4]), (0, [1])) == [[0], [], [1]]


def test_points_of_one_attempt_at_one_step_are_all_shown() -> None:
    assert steps_shown((None, [5, 5, 1]), (None, [])) == [[5, 5, 1], []]


@given(st.lists(st.tuples(st.none() | st.integers(-2, 12), st.lists(st.integers(-3, 12))), max_size=5))
def test_each_step_is_shown_of_one_attempt_only_the_last_that_may(
    parts: list[tuple[int | None, list[int]]],
) -> None:
    found = steps_shown(*parts)
    cuts = [at_step if at_step is not None else min(steps, default=10**6) - 1 for at_step, steps in parts]
    for i, (_, steps) in enumerate(parts):
        expected = [
            step
            for step in steps
            if all(step <= cut for cut in cuts[i + 1 :])
            and not any(step in later for later in found[i + 1 :])
        ]
        assert found[i] == expected


def test_shards_find_their_attempt_by_parent_and_by_time() -> None:
    shards = {
        "a": ShardOrigin(0, 10, None),
        "child of a": ShardOrigin(0, 40, "a"),
        "grandchild of a": ShardOrigin(0, 41, "child of a"),
        "b": ShardOrigin(0, 30, None),
        "after b": ShardOrigin(0, 35, None),
        "other rank": ShardOrigin(1, 11, None),
        "without a beginning": ShardOrigin(2, 12, None),
    }
    found = attempts_of(shards, {"a": begun(10, 1), "b": begun(30, 2), "other rank": begun(11)})
    assert [(one.rank, one.number, one.shards) for one in found] == [
        (0, 1, ("a", "child of a", "grandchild of a")),
        (0, 2, ("b", "after b")),
        (1, 1, ("other rank",)),
        (2, 1, ("without a beginning",)),
    ]


def test_numbers_put_attempts_in_order_where_clocks_differ() -> None:
    shards = {"first": ShardOrigin(0, 20, None), "second": ShardOrigin(0, 10, None)}
    found = attempts_of(shards, {"first": begun(20, 1), "second": begun(10, 2)})
    assert [one.shards for one in found] == [("first",), ("second",)]


def test_where_an_attempt_has_no_number_the_time_tells_which_is_the_last() -> None:
    """One that continued a run it could not read came first, and was superseded by what it had continued."""
    shards = {"new": ShardOrigin(0, 20, None), "old": ShardOrigin(0, 10, None)}
    found = attempts_of(shards, {"new": begun(20, None), "old": begun(10, 1)})
    assert [(one.number, one.shards) for one in found] == [(1, ("old",)), (2, ("new",))]


def test_ranks_are_averaged_step_by_step_by_their_last_value() -> None:
    def series(*points: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([p[0] for p in points]), np.array([p[1] for p in points])

    found = statistics_by_step([series((0, 1.0), (1, 5.0), (1, 3.0)), series((1, 1.0), (2, 8.0))])
    assert found.step.tolist() == [0, 1, 2]
    assert found.mean.tolist() == [1.0, 2.0, 8.0]
    assert found.min.tolist() == [1.0, 1.0, 8.0]
    assert found.max.tolist() == [1.0, 3.0, 8.0]
    assert found.n_ranks.tolist() == [1, 2, 1]
