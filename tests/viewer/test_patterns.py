from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.patterns import PatternError, matching

NAMES = ["train/loss", "val/loss", "val/acc", "lr"]


def test_words_are_searched_for_as_they_are() -> None:
    assert matching(NAMES, "LOSS val") == ["val/loss"]
    assert matching(NAMES, "") == NAMES
    assert matching(NAMES, "/") == ["train/loss", "val/loss", "val/acc"]


def test_a_pattern_stands_between_slashes() -> None:
    assert matching(NAMES, "/^val.*(loss|acc)$/") == ["val/loss", "val/acc"]
    assert matching(NAMES, "/L.$/") == ["lr"]
    assert matching([], "/a/") == []


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{99999999}", "(?P<x", "(a)\\1", "x" * 501])
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"pattern has|no regular"):
        matching(NAMES, f"/{pattern}/")


def test_no_pattern_takes_for_ever() -> None:
    """Python's own expressions need 2^200 steps for this one; the test has a time limit."""
    assert matching(["a" * 200 + "b"] * 10_000, "/^(a+)+$/") == []


@settings(deadline=None)
@given(st.text(max_size=12), st.lists(st.text(max_size=8), max_size=4))
def test_any_text_is_a_query(query: str, names: list[str]) -> None:
    with contextlib.suppress(PatternError):
        assert set(matching(names, query)) <= set(names)
        assert set(matching(names, f"/{query}/")) <= set(names)
