from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.patterns import PatternError, matching, pattern_of

NAMES = ["train/loss", "val/loss", "val/acc", "lr"]


def test_words_are_searched_for_as_they_are() -> None:
    assert matching(NAMES, "LOSS val") == ["val/loss"]
    assert matching(NAMES, "") == NAMES
    assert matching(NAMES, "/") == ["train/loss", "val/loss", "val/acc"]


def test_a_pattern_stands_between_slashes() -> None:
    assert matching(NAMES, "/^val.*(loss|acc)$/") == ["val/loss", "val/acc"]
    assert matching(NAMES, "/L.$/") == ["lr"]


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{99999999999999999999}", "(?P<x", "x" * 201])
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(PatternError):
        pattern_of(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b*c*d*$", "((a{1,50}){1,50})", "(.*)*x", ".*.*.*.*x", "(?:(?:a*)b)+"]
)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="simpler"):
        pattern_of(pattern)


@given(st.text(alphabet="ab.*+?(){}[]|1,\\^$", max_size=12))
def test_no_pattern_keeps_the_server_busy(pattern: str) -> None:
    began = time.process_time()
    with contextlib.suppress(PatternError):
        matching(["a" * 40] * 20, f"/{pattern}/")
    assert time.process_time() - began < 5  # not how fast, but that it ends
