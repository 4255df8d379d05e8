from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from kohakuboard import Board
from kohakuboard.journal.console import NOTE, STDERR, STDOUT, console_path, encode_line
from kohakuboard.journal.console_file import ConsoleFile
from kohakuboard.reader import Console, ConsoleLine, open_run
from kohakuboard.reader.console import read_console

NOW_US = 1_790_000_000_000_001


def test_lines_have_time_stream_and_text(tmp_path: Path) -> None:
    file = ConsoleFile(console_path(tmp_path, 3))
    file.write(STDOUT, "größer\nzwei\n".encode(), NOW_US)
    file.write(STDERR, b"50%\r75%", NOW_US + 1_000_000)
    console = read_console(tmp_path, rank=3)
    moment = datetime(2026, 9, 21, 14, 13, 20, 1, timezone.utc)
    assert console[0] == ConsoleLine(moment, "stdout", "größer")
    assert [line.text for line in console] == ["größer", "zwei", "75%"]
    assert console[-1].stream == "stderr"
    assert console.text == "größer\nzwei\n75%\n"
    assert [line.text for line in console[1:]] == ["zwei", "75%"]
    assert len(read_console(tmp_path)) == 0


def test_text_is_what_was_printed_without_notes_and_cuts() -> None:
    lines = encode_line(NOW_US, STDOUT, b"x" * 100_000) + encode_line(
        NOW_US, NOTE, b"5 bytes are missing here"
    )
    console = Console([*lines.splitlines(), b"a torn li"])
    assert console.text == "x" * 100_000 + "\na torn li\n"
    assert console[-1] == ConsoleLine(None, "both", "a torn li")
    assert [line.stream for line in console] == ["stdout", "stdout", "note", "both"]


def test_the_last_lines_of_a_run_are_there_while_it_is_live(tmp_path: Path) -> None:
    with Board(base_dir=tmp_path, capture_output="python") as board:
        for i in range(100):
            print("line", i)
        print("at the end", end="")
        # What is unfinished follows within a tenth of a second.
        assert "line 99" in [line.text for line in open_run(board.path).console(last=2)]
    assert [line.text for line in open_run(board.path).console(last=2)] == ["line 99", "at the end"]


def test_lines_are_found_by_words_and_by_stream_the_last_ones_first(tmp_path: Path) -> None:
    said = [(b"1", b"Epoch 1"), (b"2", b"epoch 2 warns"), (b"|", b"EPOCH 3"), (b"#", b"epoch note")]
    (tmp_path / "console.log").write_bytes(b"".join(encode_line(0, mark, text) for mark, text in said))
    console = read_console(tmp_path)
    assert [line.text for line in console.having("epoch", "3")] == ["EPOCH 3"]
    assert [line.text for line in console.having("epoch", most=2)] == ["EPOCH 3", "epoch note"]
    assert [line.text for line in console.having(stream="stderr")] == ["epoch 2 warns", "EPOCH 3"]
    assert not console.having("1970")  # their times are not searched
