from __future__ import annotations

import pytest

from kohakuboard_viewer.diff import diff_of

DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-old\n+new\n+more\n same\n"


def test_lines_are_told_apart_and_counted() -> None:
    diff = diff_of({"git": {"diff": DIFF}}, 100)
    assert [kind for kind, _ in diff.lines] == [
        "file",
        "file",
        "file",
        "place",
        "taken",
        "added",
        "added",
        "same",
    ]
    assert (diff.n_files, diff.n_added, diff.n_taken, diff.cut) == (1, 2, 1, 0)


def test_a_long_diff_is_cut_and_counted_whole() -> None:
    diff = diff_of({"git": {"diff": "+x\n" * 1000}}, 10)
    assert (len(diff.lines), diff.cut, diff.n_added) == (10, 990, 1000)


@pytest.mark.parametrize("environment", [{}, {"git": None}, {"git": {"diff": None}}, {"git": "?"}, None])
def test_where_nothing_is_known_there_is_nothing(environment: object) -> None:
    assert diff_of(environment, 10).lines == []
