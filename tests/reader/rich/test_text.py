"""Texts come back as they were logged, and are found by any part of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kohakuboard import Board, Text
from kohakuboard.reader import Run, open_run
from kohakuboard.storage.rich.texts import INDEX


def logged(root: Path, *texts: str) -> Run:
    with Board("texts", base_dir=root, capture_output=False) as board:
        for step, text in enumerate(texts):
            board.log_text("said", text, step=step)
    return open_run(board.path)


def test_texts_of_each_format_come_back_at_their_steps(tmp_path: Path) -> None:
    with Board("texts", base_dir=tmp_path) as board:
        board.log({"a": Text("# title", "markdown"), "b": [Text("one"), Text("two")], "loss": 0.5}, step=3)
        board.log(a=Text("<b>bold</b>", "html"), bare="as it is", step=7)
    run = open_run(board.path)
    assert [(one.step, one.format, one.text) for one in run.text("a")] == [
        (3, "markdown", "# title"),
        (7, "html", "<b>bold</b>"),
    ]
    assert [(one.position, one.text) for one in run.text("b", 3)] == [(0, "one"), (1, "two")]
    assert [one.text for one in run.text("bare")] == ["as it is"]
    assert {one.name for one in run.text()} == {"a", "b", "bare"}
    assert run.text_steps() == {"a": [3, 7], "b": [3], "bare": [7]}
    assert run.series("loss").step.tolist() == [3]


def test_long_and_odd_texts_come_back_whole(tmp_path: Path) -> None:
    odd = ["x" * 10_000_000, "nul\0byte", "", "é🙂\u202e", "lone \ud800 surrogate"]
    assert [one.text for one in logged(tmp_path, *odd).text("said")] == [*odd[:4], "lone \\ud800 surrogate"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("brown fox", [2]),
        ("QUICK", [2, 1]),
        ("ck", [2, 1]),  # shorter than what is indexed
        ("100%", [0]),
        ("0_0", []),
        ("nothing", []),
        ('a "quoted" word', [3]),
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_any_part_of_a_text_finds_it(tmp_path: Path, wanted: str, found: list[int], indexed: bool) -> None:
    run = logged(tmp_path, "100% sure", "a quick one", "the Quick brown fox", 'a "quoted" word')
    if not indexed:  # as it is where SQLite has no FTS5
        with closing(sqlite3.connect(run.path / "run.db")) as connection, connection:
            connection.execute(f"DROP TABLE {INDEX}")
    assert [one.step for one in run.search_text(wanted)] == found
    assert [one.step for one in run.search_text(wanted, "said", limit=1)] == found[:1]
    assert run.search_text(wanted, "other") == []


def test_what_a_resumed_run_has_superseded_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "default" / "one"
    for at_step, word in ((None, "first"), (1, "second")):
        with Board(run_id="one", base_dir=tmp_path, at_step=at_step) as board:
            for step in range(0 if at_step is None else 2, 4):
                board.log_text("said", f"the {word} time", step=step)
    run = open_run(path)
    assert [one.step for one in run.search_text("first time")] == [1, 0]
    assert [one.step for one in run.search_text("second time")] == [3, 2]


def test_a_string_that_is_a_number_is_refused_as_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Board("texts", base_dir=tmp_path) as board:
        board.log(number="0.5", loss=1.0)
    assert "'number' of type str was not logged" in caplog.text
    assert open_run(board.path).text() == []


def test_what_is_no_format_is_refused_and_the_rest_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Board("texts", base_dir=tmp_path) as board:
        board.log(a=Text("x", "rtf"), b=Text("y"))  # type: ignore[arg-type]
    assert "format must be one of plain, markdown, html, not 'rtf'" in caplog.text
    assert [one.name for one in open_run(board.path).text()] == ["b"]
