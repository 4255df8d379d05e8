from __future__ import annotations

import contextlib
import io

from tqdm import tqdm  # type: ignore[import-untyped]

from kohakuboard.journal.screen import MOST_OPEN, SETTLED_US, Screen


class Program:
    """Write to a screen, a millisecond apart, and keep the lines that are complete."""

    def __init__(self) -> None:
        self.screen = Screen()
        self.lines: list[str] = []
        self.now_us = 1

    def write(self, text: str) -> None:
        self.now_us += 1000
        self.lines += [line.decode() for _, line in self.screen.feed(text.encode(), self.now_us)]

    def flush(self) -> None:
        """Be a file."""

    @property
    def unfinished(self) -> list[str]:
        return [text.decode() for _, text in self.screen.open_rows]

    def end(self) -> list[str]:
        self.lines += [line.decode() for _, line in self.screen.end()]
        return self.lines


def lines_of(*texts: str) -> list[str]:
    program = Program()
    for text in texts:
        program.write(text)
    return program.end()


def test_lines_are_complete_at_their_newline_however_they_are_cut() -> None:
    program = Program()
    for text in ("a", "b\nc", "\n\n", "d\r\n", "e\r", "\n", "f"):
        program.write(text)
    assert program.lines == ["ab", "c", "", "d", "e"]
    assert program.unfinished == ["f"]
    assert program.end() == ["ab", "c", "", "d", "e", "f"]


def test_what_is_drawn_over_a_line_replaces_it() -> None:
    assert lines_of("\r 10%", "\r 20%", "\r100%\n", "done\n") == ["100%", "done"]
    assert lines_of("\r 10%\r 20%\r100%\ndone\n") == ["100%", "done"]
    assert lines_of("loading", "\r", "loaded\n") == ["loaded"]
    assert lines_of("12" + "\b" * 2 + "34\n") == ["34"]
    assert lines_of("\x1b[31mred\x1b[0m\n") == ["\x1b[31mred\x1b[0m"]


def test_a_bar_that_is_erased_at_its_end_leaves_nothing() -> None:
    assert lines_of("\r 10%", "\r    \r", "next\n") == ["next"]
    assert lines_of("\r 10%", "\r\x1b[K", "next\n") == ["next"]
    assert lines_of("\r 10%", "\r    ") == []


def test_a_sequence_that_is_cut_in_two_is_one() -> None:
    assert lines_of("one\x1b", "[31mred") == ["one\x1b[31mred"]
    assert lines_of("\rtop\n", "\rbelow", "\x1b", "[", "A", "\rTOP", "\n\n") == ["TOP", "below"]


def test_nested_bars_of_tqdm_are_two_lines() -> None:
    program = Program()
    for _ in tqdm(range(5), file=program, desc="epochs", mininterval=0, ascii=True):
        for _ in tqdm(range(200), file=program, desc="steps", mininterval=0, leave=False, ascii=True):
            pass
    program.write("done\n")
    lines = program.end()
    assert len(lines) <= 7
    assert sum("epochs: 100%" in line for line in lines) == 1
    assert lines[-1] == "done"


def test_lines_above_bars_are_complete_once_they_are_left_alone() -> None:
    """tqdm.write draws ordinary lines over a bar, which moves one down."""
    program = Program()
    for i in range(5):
        program.write(f"\r        \rstep {i}\n\r{i}/5")
    assert program.unfinished == ["step 0", "step 1", "step 2", "step 3", "step 4", "4/5"]
    program.now_us += SETTLED_US
    program.write("\r5/5")
    assert program.lines == ["step 0", "step 1", "step 2", "step 3", "step 4"]
    assert program.unfinished == ["5/5"]


def test_no_more_than_a_screen_of_lines_stays_open() -> None:
    program = Program()
    program.write("".join(f"\rbar {i}\n" for i in range(1000)))
    assert len(program.unfinished) < MOST_OPEN
    assert program.end() == [f"bar {i}" for i in range(1000)]


def test_a_line_without_an_end_is_handed_on_in_parts() -> None:
    program = Program()
    for _ in range(100):
        program.write("x" * 10_000)
    assert all(len(line) < 100_000 for line in program.lines)
    assert sum(map(len, program.end())) == 1_000_000


def test_rich_draws_one_bar() -> None:
    from rich.console import Console as RichConsole
    from rich.progress import Progress

    out = io.StringIO()
    with Progress(
        console=RichConsole(file=out, force_terminal=True, width=80), auto_refresh=False
    ) as progress:
        first, second = progress.add_task("one", total=50), progress.add_task("two", total=50)
        for _ in range(50):
            progress.advance(first)
            progress.advance(second)
            progress.refresh()
    program = Program()
    with contextlib.closing(out):
        for part in out.getvalue().splitlines(keepends=True):
            program.write(part)
    assert len(program.end()) <= 5
