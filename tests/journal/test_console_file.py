from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard.journal.console import BOTH, STDERR, STDOUT, encode_line, live_path, parse_line, read_lines
from kohakuboard.journal.console_file import LIVE_EVERY_US, ConsoleFile

NOW_US = 1_790_000_000_123_456


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "console.log"


def said(path: Path, last: int | None = None) -> list[tuple[bytes, bytes]]:
    """Return streams and texts."""
    lines = [parse_line(line) for line in read_lines(path, last)]
    assert None not in lines
    return [(line.mark, line.text) for line in lines if line is not None]


def test_a_line_has_its_time_its_stream_and_what_was_printed(path: Path) -> None:
    file = ConsoleFile(path)
    file.write(STDOUT, b"loss 0.5\n", NOW_US)
    file.write(STDERR, b"\x1b[31mhot\x1b[0m\n", NOW_US)
    file.close()
    assert path.read_bytes() == (
        b"2026-09-21T14:13:20.123456Z 1 loss 0.5\n2026-09-21T14:13:20.123458Z 2 \x1b[31mhot\x1b[0m\n"
    )


def test_a_storm_of_progress_takes_no_room_and_its_last_state_is_shown(path: Path) -> None:
    file = ConsoleFile(path)
    for i in range(10_000):
        file.write(STDERR, f"\r{i:5d}/10000".encode(), NOW_US + 1000 * i)
    assert path.stat().st_size == 0
    assert live_path(path).stat().st_size < 100
    (line,) = said(path)
    assert int(line[1][:5]) >= 9_900  # a tenth of a second old at most
    file.show()
    assert said(path) == [(STDERR, b" 9999/10000")]
    file.write(STDERR, b"\n", NOW_US + 20_000_000)
    file.close()
    assert said(path) == [(STDERR, b" 9999/10000")]
    assert not live_path(path).exists()


def test_the_streams_do_not_mix_in_a_line(path: Path) -> None:
    file = ConsoleFile(path)
    file.write(STDOUT, b"begun, ")
    file.write(STDERR, b"warning\n")
    file.write(STDOUT, b"ended\n")
    file.close()
    assert said(path) == [(STDERR, b"warning"), (STDOUT, b"begun, ended")]


def test_an_unfinished_line_is_read_until_it_is_complete_and_then_once(path: Path) -> None:
    file = ConsoleFile(path)
    file.write(BOTH, b"before\nPassword: ", NOW_US)
    assert said(path) == [(BOTH, b"before"), (BOTH, b"Password: ")]
    file.write(BOTH, b"none\nnext", NOW_US + 10)
    assert said(path) == [(BOTH, b"before"), (BOTH, b"Password: none")]
    assert not live_path(path).exists()  # what is new there is written a tenth of a second later
    file.write(BOTH, b" one", NOW_US + LIVE_EVERY_US + 20)
    assert said(path)[2:] == [(BOTH, b"next one")]
    file.close()
    assert said(path) == [(BOTH, b"before"), (BOTH, b"Password: none"), (BOTH, b"next one")]


def test_an_unfinished_line_that_was_completed_right_before_a_kill_is_read_once(path: Path) -> None:
    """The line is appended first, and then taken out of the file beside it."""
    file = ConsoleFile(path)
    file.write(STDOUT, b"half", NOW_US)
    file.write(STDERR, b"bar", NOW_US + LIVE_EVERY_US)
    live = live_path(path).read_bytes()
    file.write(STDOUT, b" and half\n", NOW_US + LIVE_EVERY_US + 10)
    live_path(path).write_bytes(live)
    assert said(path) == [(STDOUT, b"half and half"), (STDERR, b"bar")]
    ConsoleFile(path).close()
    assert said(path) == [(STDOUT, b"half and half"), (STDERR, b"bar")]
    assert not live_path(path).exists()


def test_a_file_at_its_limit_keeps_beginning_and_end_and_says_how_much_is_missing(path: Path) -> None:
    file = ConsoleFile(path, limit_bytes=100_000)
    written = 0
    for i in range(20_000):
        file.write(STDOUT, b"%06d\n" % i)
        written += 37
        assert path.stat().st_size <= 100_000
    file.close()
    lines = said(path)
    (note,) = (i for i, (mark, _) in enumerate(lines) if mark == b"#")
    numbers = [int(text) for mark, text in lines if mark == STDOUT]
    assert numbers[:note] == list(range(note))
    assert numbers[note:] == list(range(20_000 - (len(numbers) - note), 20_000))
    assert note > 600
    assert len(numbers) - note > 1200
    assert int(lines[note][1].split()[0]) == written - 37 * len(numbers)
    assert {entry.name for entry in path.parent.iterdir()} == {"console.log"}


@pytest.mark.filterwarnings(
    "ignore:.*fork-safe"
)  # of lance, where another test of this process has loaded it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_forked_child_writes_whole_lines_into_the_file_that_is_there(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from kohakuboard.journal.console_file import ConsoleFile\n"
        "file = ConsoleFile(Path(sys.argv[1]), limit_bytes=20_000)\n"
        "go, ready = os.pipe()\n"
        "if (child := os.fork()) == 0:\n"
        "    os.read(go, 1)\n"
        "    for i in range(100): file.write(b'2', b'child %d\\n' % i)\n"
        "    os._exit(0)\n"
        "for i in range(1000): file.write(b'1', b'%06d\\n' % i)  # the file is replaced meanwhile\n"
        "os.write(ready, b'x')\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "file.close()"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert [text for mark, text in said(path) if mark == STDERR] == [b"child %d" % i for i in range(100)]


def test_a_writer_that_is_killed_leaves_all_it_wrote(path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from kohakuboard.journal.console_file import ConsoleFile\n"
        "file = ConsoleFile(Path(sys.argv[1]))\n"
        "for i in range(100): file.write(b'1', b'line %d\\n' % i)\n"
        "import time; time.sleep(0.11)\n"
        "file.write(b'2', b'\\r 99%')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert said(path) == [*((STDOUT, b"line %d" % i) for i in range(100)), (STDERR, b" 99%")]


def test_very_long_lines_are_cut_and_marked(path: Path) -> None:
    line = encode_line(NOW_US, STDOUT, b"x" * 200_000)
    parts = [parse_line(part) for part in line.splitlines()]
    assert [part.goes_on for part in parts if part] == [True, True, True, False]
    assert b"".join(part.text for part in parts if part) == b"x" * 200_000


def test_the_last_lines_of_a_large_file_are_read_without_the_rest(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 40)  # a terabyte, which nobody could read whole
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(encode_line(NOW_US + i, STDOUT, b"%d" % i) for i in range(5000)))
    assert said(path, last=3) == [(STDOUT, b"4997"), (STDOUT, b"4998"), (STDOUT, b"4999")]


def test_what_is_no_line_is_read_as_text(path: Path) -> None:
    path.write_bytes(b"2026-09-21T14:13\n" + encode_line(NOW_US, STDOUT, b"whole"))
    assert [parse_line(line) is None for line in read_lines(path)] == [True, False]


def test_a_file_that_was_deleted_goes_on_when_it_is_reopened(path: Path) -> None:
    file = ConsoleFile(path)
    file.write(STDOUT, b"gone\n")
    path.unlink()
    file.reopen()
    file.write(STDOUT, b"there\n")
    file.close()
    assert said(path) == [(STDOUT, b"there")]
