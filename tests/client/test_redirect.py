"""Programs whose descriptors are led through a pump: real processes, terminals and signals."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from kohakuboard.journal.console import read_lines, wait_until_complete
from kohakuboard.reader import Console

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="descriptors are led through a pump on Linux alone"
)

BEGIN = """
import ctypes, faulthandler, os, signal, subprocess, sys, threading, time
from pathlib import Path
from kohakuboard.client.console import ConsoleCapture
path = Path(sys.argv[1])
libc = ctypes.CDLL(None)
def pump_pid():
    return capture._copy._redirect._pump.pid
out, before = sys.stdout, [os.fstat(n) for n in (1, 2)]
signal.alarm(100)  # nothing that hangs is left behind
capture = ConsoleCapture(path, descriptors=True)
assert capture.has_descriptors
assert sys.stdout is out
"""


def start(program: str, path: Path, *, begin: str = BEGIN, **streams: int) -> subprocess.Popen[str]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen([sys.executable, "-c", begin + program, str(path)], text=True, **streams)  # type: ignore[call-overload,no-any-return]


def run(program: str, path: Path, status: int = 0, **streams: int) -> tuple[str, str]:
    """Return what a program that keeps its output in `path` brought to its stdout and stderr."""
    process = start(program, path, begin=BEGIN, **streams)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    return out or "", err or ""


def kept(path: Path) -> str:
    wait_until_complete(path, 20)
    return Console(read_lines(path)).text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "console.log"


EVERYBODY = """
print("python 1")
libc.puts(b"C 2")
sys.stdout.buffer.write(b"bytes 3\\n"); sys.stdout.flush()
print("python 4", file=sys.stderr)
os.write(1, b"descriptor 5\\n")
subprocess.run(["sh", "-c", "echo child 6; echo child 7 >&2"])
os.system("echo system 8")
if (child := os.fork()) == 0:
    print("forked 9", flush=True)
    os._exit(0)
os.waitpid(child, 0)
sys.stdout.write("unfinished 10")
capture.stop()
print()
print("afterwards")
"""
LINES = [
    "python 1",
    "C 2",
    "bytes 3",
    "python 4",
    "descriptor 5",
    "child 6",
    "child 7",
    "system 8",
    "forked 9",
]


def test_what_python_c_code_and_children_print_is_kept_in_the_order_it_was_printed(path: Path) -> None:
    out, _ = run(EVERYBODY, path, stderr=subprocess.STDOUT)
    assert out.splitlines() == [*LINES, "unfinished 10", "afterwards"]
    assert kept(path).splitlines() == [*LINES, "unfinished 10"]
    assert {line.stream for line in Console(read_lines(path))} == {"both"}


def test_two_streams_that_lead_to_two_places_still_do(path: Path) -> None:
    out, err = run(EVERYBODY, path)
    stderr = ["python 4", "child 7"]
    assert out.splitlines() == [
        *(line for line in LINES if line not in stderr),
        "unfinished 10",
        "afterwards",
    ]
    assert err.splitlines() == stderr
    lines = list(Console(read_lines(path)))
    assert [line.text for line in lines if line.stream == "stderr"] == stderr
    assert sum(line.stream == "stdout" for line in lines) == 8


def test_everything_is_as_before_after_the_end(path: Path) -> None:
    run(
        "capture.stop()\n"
        "after = [os.fstat(n) for n in (1, 2)]\n"
        "assert [(s.st_dev, s.st_ino) for s in after] == [(s.st_dev, s.st_ino) for s in before]\n"
        "assert not sys.stdout.line_buffering\n"
        "while threading.active_count() > 1: time.sleep(0.01)\n"
        "fds = os.listdir('/proc/self/fd')\n"
        "again = ConsoleCapture(path, descriptors=True); print('again'); again.stop()\n"
        "while threading.active_count() > 1: time.sleep(0.01)\n"
        "assert os.listdir('/proc/self/fd') == fds",
        path,
    )
    assert kept(path) == "again\n"


def on_a_terminal(program: str, path: Path) -> str:
    """Return what a program showed on a terminal of 30 lines and 100 columns, then 50."""
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
    process = start(program, path, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        shown += data
        if b"resize\r\n" in shown:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", 30, 50, 0, 0))
    os.close(master)
    assert process.wait(timeout=60) == 0, shown
    return shown.decode()


def test_a_terminal_stays_one_for_python_c_code_and_children(path: Path) -> None:
    shown = on_a_terminal(
        "print(sys.stdout.isatty(), sys.stderr.isatty(), libc.isatty(1), os.get_terminal_size())\n"
        "subprocess.run([sys.executable, '-c', 'import os; print(os.isatty(1), os.get_terminal_size())'])\n"
        "print('\\033[32mgreen\\033[0m')\n"
        "print('resize')\n"
        "while os.get_terminal_size().columns != 50: print('.', end='', flush=True); time.sleep(0.01)\n"
        "print()\n"
        "for i in range(1000): print(f'\\r{i}', end='', flush=True)\n"
        "print('\\rdone')\n"
        "capture.stop(); assert os.isatty(1)",
        path,
    )
    size = "os.terminal_size(columns=100, lines=30)"
    lines = [f"True True 1 {size}", f"True {size}", "\x1b[32mgreen\x1b[0m", "resize"]
    assert shown.split("\r\n")[:4] == lines
    assert shown.endswith("\r998\r999\rdone\r\n")
    text = kept(path).splitlines()
    assert text[:4] == lines
    assert set(text[4]) <= {"."}
    assert text[5:] == ["done"]


@pytest.mark.parametrize(
    ("end", "status", "last"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "line 999"),
        ("os.abort()", -signal.SIGABRT, "line 999"),
        ("libc.puts(b'C'); os._exit(7)", 7, "C"),
        ("faulthandler.enable(); ctypes.string_at(0)", -signal.SIGSEGV, 'File "<string>"'),
        ("raise ValueError('the end')", 1, "ValueError: the end"),
        ("print('half a line', end='', flush=True); os._exit(0)", 0, "half a line"),
    ],
)
def test_the_last_lines_of_a_program_that_ends_badly_are_kept(
    path: Path, end: str, status: int, last: str
) -> None:
    out, err = run(f"for i in range(1000): print('line', i)\n{end}", path, status)
    assert "line 999" in out
    text = kept(path)
    assert [line for line in text.splitlines() if line.startswith("line")] == [
        f"line {i}" for i in range(1000)
    ]
    assert any(last in line for line in text.splitlines()[-20:])
    assert last in out + err


def test_a_pump_that_is_killed_costs_neither_training_nor_output(path: Path) -> None:
    """No SIGPIPE, no error, no wait, and what was in the pipe is passed on by the next pump."""
    out, err = run(
        "for i in range(20):\n"
        "    if i == 10: time.sleep(0.5); os.kill(pump_pid(), signal.SIGKILL)  # what it is at may be lost\n"
        "    print(i, 'x' * 10_000)\n"
        "    libc.puts(b'C'); subprocess.run(['echo', 'child'])\n"
        "capture.stop()",
        path,
    )
    assert [line[:5] for line in out.splitlines()] == [
        line for i in range(20) for line in (f"{i} xxxxx"[:5], "C", "child")
    ]
    assert err == ""
    lines = kept(path).splitlines()
    assert [line[:5] for line in lines if line[0].isdigit()] == [f"{i} xxxxx"[:5] for i in range(20)]


def test_after_pumps_that_keep_ending_only_what_python_prints_is_kept(path: Path) -> None:
    out, err = run(
        "for i in range(3):\n"
        "    pid = pump_pid(); os.kill(pid, signal.SIGKILL); print('killed', i)\n"
        "    while capture.has_descriptors and pump_pid() == pid: time.sleep(0.01)\n"
        "assert not capture.has_descriptors\n"
        "assert [os.fstat(n).st_ino for n in (1, 2)] == [s.st_ino for s in before]\n"
        "print('python'); libc.puts(b'C'); libc.fflush(None)\n"
        "capture.stop(); assert sys.stdout is out",
        path,
    )
    assert sorted(out.splitlines()) == ["C", "killed 0", "killed 1", "killed 2", "python"]
    assert "only what Python prints is kept" in err
    assert "python" in kept(path).splitlines()
    assert "C" not in kept(path).splitlines()


def test_a_child_that_outlives_the_program_holds_up_nothing_and_is_passed_on(path: Path) -> None:
    process = start(
        "child = subprocess.Popen(['sh', '-c', 'read go; echo late'], stdin=subprocess.PIPE)\n"
        "os.dup2(child.stdin.fileno(), 100, inheritable=False)\n"
        "print('end'); capture.stop()\n"
        "holder = subprocess.Popen(['sh', '-c', 'sleep 0.5; echo go >&100'], pass_fds=[100], stdout=2)\n"
        "os._exit(0)",
        path,
    )
    assert process.wait(timeout=30) == 0
    assert process.stdout is not None
    assert process.stdout.readline() == "end\n"
    assert process.stdout.read() == "late\n"  # and then its end
    process.communicate()
    assert kept(path) == "end\n"


def test_children_of_a_killed_program_are_kept_until_they_end(path: Path) -> None:
    out, _ = run(
        "subprocess.Popen(['sh', '-c', 'sleep 0.5; echo orphan'])\nos.kill(os.getpid(), signal.SIGKILL)",
        path,
        -signal.SIGKILL,
    )
    assert out == "orphan\n"
    assert kept(path) == "orphan\n"


def test_boards_that_overlap_each_keep_what_is_printed_while_they_are_open(
    path: Path, tmp_path: Path
) -> None:
    out, _ = run(
        "print('one'); second = ConsoleCapture(path.with_name('second'), descriptors=True)\n"
        "time.sleep(0.3); print('two'); capture.stop(); libc.puts(b'three'); second.stop(); print('four')\n"
        "assert os.fstat(1).st_ino == before[0].st_ino",
        path,
    )
    assert out == "one\ntwo\nthree\nfour\n"
    assert kept(path) == "one\ntwo\n"
    assert kept(tmp_path / "second").removeprefix("one\n") == "two\nthree\n"


def test_threads_that_print_to_the_very_end_do_not_hold_it_up(path: Path) -> None:
    program = (
        "import atexit; atexit.register(capture.stop)\n"
        "def talk():\n"
        "    while True: print('x' * 100); libc.puts(b'y')\n"
        "for _ in range(4): threading.Thread(target=talk, daemon=True).start()\n"
        "time.sleep(0.2)"
    )
    process = start(program, path, stdout=subprocess.DEVNULL)
    process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGABRT)  # Python itself may find stdout's lock taken
    assert set(kept(path).splitlines()) >= {"x" * 100, "y"}


def test_a_destination_that_nobody_reads_ends_no_training(path: Path) -> None:
    program = "for i in range(20_000): print('line', i)\ncapture.stop()"
    process = start(program, path, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert kept(path).splitlines()[-1] == "line 19999"


def test_streams_that_do_not_lead_to_the_descriptors_are_kept_too(path: Path) -> None:
    begin = "import io, sys; terminal, sys.stdout = sys.stdout, io.StringIO()\n" + BEGIN.replace(
        "assert sys.stdout is out", ""
    )
    process = start(
        "print('in memory', 'x' * 10_000)\nos.write(1, b'descriptor\\n')\ncapture.stop()\n"
        "assert sys.stdout is out and out.getvalue().startswith('in memory')",
        path,
        begin=begin,
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "descriptor\n"), err
    assert sorted(kept(path).splitlines()) == ["descriptor", "in memory " + "x" * 10_000]


def test_a_forked_child_with_a_board_of_its_own_keeps_its_output_in_both(path: Path) -> None:
    out, _ = run(
        "print('parent')\n"
        "if (child := os.fork()) == 0:\n"
        "    own = ConsoleCapture(path.with_name('child'), descriptors=True)\n"
        "    print('child'); own.stop(); sys.stdout.flush(); os._exit(0)\n"
        "os.waitpid(child, 0); print('after'); capture.stop()",
        path,
    )
    assert out == "parent\nchild\nafter\n"
    assert kept(path) == "parent\nchild\nafter\n"
    assert kept(path.with_name("child")) == "child\n"


def test_a_descriptor_that_somebody_led_elsewhere_is_left_to_them(path: Path) -> None:
    out, _ = run(
        "saved = os.dup(1); other = os.open(path.with_name('other'), os.O_WRONLY | os.O_CREAT); os.dup2(other, 1)\n"
        "capture.stop(); os.write(1, b'theirs\\n'); os.dup2(saved, 1); os.write(1, b'back\\n')",
        path,
    )
    assert out == "back\n"
    assert path.with_name("other").read_text() == "theirs\n"


def test_the_first_process_of_a_container_leaves_its_descriptors_alone(path: Path) -> None:
    """With it the kernel ends all others, and the last words of a crash would be lost on their way."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c"]
    if subprocess.run([*command, ""], capture_output=True).returncode:
        pytest.skip("no process may make a namespace here")
    begin = BEGIN.replace("assert capture.has_descriptors\nassert sys.stdout is out", "")
    program = "assert not capture.has_descriptors; print('last words', flush=True); os.abort()"
    done = subprocess.run([*command, begin + program, str(path)], capture_output=True, text=True)
    assert done.stdout == "last words\n"
    assert kept(path) == "last words\n"


def test_a_batch_systems_sigterm_does_not_end_the_pump(path: Path) -> None:
    out, _ = run(
        "time.sleep(0.3); os.kill(pump_pid(), signal.SIGTERM); pid = pump_pid(); print('last words')\n"
        "time.sleep(0.1); assert pump_pid() == pid; os.kill(os.getpid(), signal.SIGKILL)",
        path,
        -signal.SIGKILL,
    )
    assert out == "last words\n"
    assert kept(path) == "last words\n"


def test_print_is_passed_on_at_once(path: Path) -> None:
    process = start("print('now'); time.sleep(60)", path)
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 20)[0]
    assert process.stdout.readline() == "now\n"
    deadline = time.monotonic() + 20
    while Console(read_lines(path)).text != "now\n":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
