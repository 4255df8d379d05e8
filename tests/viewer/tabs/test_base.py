from __future__ import annotations

import pytest

from kohakuboard_viewer.tabs import Ask, Paging, Steps


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("-3", -3),
        ("", None),
        ("x", None),
        ("1e3", None),
        ("²", None),
        ("--1", None),
        ("9" * 40, None),
    ],
)
def test_what_is_no_whole_number_is_not_asked(text: str, number: int | None) -> None:
    assert Ask({"step": text}).whole("step") == number


def test_a_link_keeps_what_else_is_asked() -> None:
    ask = Ask({"q": "a&b", "page": "3"})
    assert ask.link(step=5, page=None) == "?q=a%26b&step=5"


def test_the_nearest_page_there_is_is_shown() -> None:
    assert Paging.of(Ask({"page": "99"}), total=101, size=50).begin == 100
    first = Paging.of(Ask({"page": "-1"}), total=101, size=50)
    assert (first.begin, first.end, first.previous, first.next) == (0, 50, None, 2)
    assert Paging.of(Ask({}), total=0, size=50).last == 1


def test_the_last_step_is_shown_or_the_last_one_up_to_what_is_asked() -> None:
    assert Steps.of(Ask({}), [5, 1, 3, 3]).chosen == 5
    asked = Steps.of(Ask({"step": "4"}), [5, 1, 3])
    assert (asked.previous, asked.chosen, asked.next) == (1, 3, 5)
    assert Steps.of(Ask({"step": "-9"}), [5, 1, 3]).chosen == 1
    assert Steps.of(Ask({}), []).chosen is None


def test_a_slider_over_very_many_steps_has_the_chosen_and_the_last_among_its_positions() -> None:
    steps = Steps.of(Ask({"step": "12345"}), range(100_000))
    assert len(steps.positions) < 5000
    assert {12345, 99_999} <= set(steps.positions)
