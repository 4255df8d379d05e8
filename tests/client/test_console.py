from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from kohakuboard.client.console import ConsoleCapture
from kohakuboard.journal.console import read_lines
from kohakuboard.reader import Console


def new_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Put a stdout in place. Not a fixture: pytest puts its own there between setup and call."""
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal


class StoppingText(str):
    """End a capture while it copies this, as another thread may, and let a file take the first free number."""

    def encode(self, *args: str) -> bytes:
        self.capture.stop()
        self.fd = os.open(self.stranger, os.O_WRONLY | os.O_CREAT)
        return super().encode(*args)

    capture: ConsoleCapture
    stranger: Path
    fd: int


def text_of(path: Path) -> str:
    """Return what a file says, without times."""
    return Console(read_lines(path)).text


def test_a_print_during_the_stop_does_not_write_to_a_strangers_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tee wrote to a number that stop() had closed in another thread, and that the next file to be opened got."""
    terminal = new_terminal(monkeypatch)
    text = StoppingText("printed")
    text.capture, text.stranger = ConsoleCapture(tmp_path / "console.log"), tmp_path / "stranger"
    sys.stdout.write(text)
    os.close(text.fd)
    assert terminal.getvalue() == "printed"
    assert (tmp_path / "stranger").read_bytes() == b""


def test_captures_that_end_in_any_order_do_not_chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Boards that overlapped, each begun before the last was finished, wrapped tee in tee: the thousandth print
    ended in a RecursionError."""
    terminal = new_terminal(monkeypatch)
    captures = [ConsoleCapture(tmp_path / "0.log")]
    for i in range(1, 2000):
        captures.append(ConsoleCapture(tmp_path / f"{i % 10}.log"))
        captures.pop(0).stop()
    print("still there")
    assert sys.stdout.writable()
    captures.pop().stop()
    assert sys.stdout is terminal
    assert terminal.getvalue() == "still there\n"


def test_a_capture_below_one_that_ended_still_copies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = new_terminal(monkeypatch)
    first, second, third = (ConsoleCapture(tmp_path / name) for name in "abc")
    second.stop()
    print("one")
    third.stop()
    print("two")
    first.stop()
    print("three")
    assert [text_of(tmp_path / name) for name in "abc"] == ["one\ntwo\n", "", "one\n"]
    assert terminal.getvalue() == "one\ntwo\nthree\n"
