from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.ansi import Pen, paint


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain", [("", "plain")]),
        ("a\x1b[31mb\x1b[0mc", [("", "a"), ("ink-1", "b"), ("", "c")]),
        ("\x1b[1;92;44mx\x1b[22;39mz", [("ink-10 ground-4 bold", "x"), ("ground-4", "z")]),
        ("\x1b[38;5;196mx", [("ink-9", "x")]),
        ("\x1b[48;2;0;0;230mx", [("ground-4", "x")]),
        ("\x1b[38;5;7mx\x1b[mz", [("ink-7", "x"), ("", "z")]),
        ("\x1b[2K\x1b[1Gdone\x1b]0;title\x07!", [("", "done"), ("", "!")]),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", [("", "link")]),
        ("a\bb\x00c\tz", [("", "a"), ("", "b"), ("", "c\tz")]),
        ("\x1b[38;5mx\x1b[48;2;1mz", [("ink-0", "x"), ("ink-0 ground-0", "z")]),
        ("\x1b[;;;m\x1b[999999999999mx", [("", "x")]),
    ],
)
def test_colours_become_classes_and_other_controls_are_left_out(
    text: str, pieces: list[tuple[str, str]]
) -> None:
    assert paint(text, Pen())[0] == pieces


def test_a_colour_lasts_into_the_next_line() -> None:
    _, pen = paint("\x1b[31mred", Pen())
    assert paint("still", pen)[0] == [("ink-1", "still")]


@given(st.text(st.sampled_from("\x1b[]0;:38m5\\\x07abc<\n")))
def test_whatever_is_printed_no_control_and_no_class_of_its_own_gets_through(text: str) -> None:
    for classes, piece in paint(text, Pen())[0]:
        assert "\x1b" not in piece
        assert re.fullmatch(r"(ink-\d+|ground-\d+|bold|dim|italic|underlined|inverse|struck| )*", classes)
