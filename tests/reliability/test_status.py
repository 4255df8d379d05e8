"""The status of a run is true, however its program ended: real programs, real signals, the kernel's own OOM killer."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from kohakuboard.journal.format import HEADER_BYTES, decode_header, encode_header
from kohakuboard.reader import open_run
from kohakuboard.reader.catalogue import names_in, read_catalogues
from kohakuboard.writer import recover
from tests.reliability.processes import run_of, start_program, wait_for, wait_for_writers, writers_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="exit codes of others are asked of Linux")

PROGRAM = """
import os, signal, sys
from kohakuboard import Board
board = Board(base_dir=sys.argv[1])
for i in range(100):
    board.log(a=i)
"""
TRAINING = "board.under_way = 'training'\n"
CUT_SHORT = "the program ended while training was under way"
KILL = "os.kill(os.getpid(), signal.{})".format


class End(NamedTuple):
    """How a program ends, and what its run must say of that."""

    source: str
    exit_code: int
    status: str
    reason: str | None


ENDS = {
    "at its end": End("", 0, "finished", None),
    "by sys.exit()": End("sys.exit()", 0, "finished", None),
    "by sys.exit(0)": End("sys.exit(0)", 0, "finished", None),
    "by sys.exit(3)": End("sys.exit(3)", 3, "failed", "exit code 3"),
    "by sys.exit(text)": End("print('1'); sys.exit('no data')", 1, "failed", "exit code 1; last printed: no data"),
    "by an exception": End("raise ValueError('no luck')", 1, "failed", "ValueError: no luck"),
    "by Ctrl-C": End(KILL("SIGINT"), -2, "interrupted", "KeyboardInterrupt"),
    "by SIGINT where Python does not handle it": End(
        f"signal.signal(signal.SIGINT, signal.SIG_DFL); {KILL('SIGINT')}", -2, "interrupted", "killed by SIGINT"
    ),
    "by SIGTERM": End(KILL("SIGTERM"), -15, "killed", "killed by SIGTERM"),
    "by SIGTERM made an exit": End(
        f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); {KILL('SIGTERM')}", 9, "failed", "exit code 9"
    ),
    "by SIGKILL": End(KILL("SIGKILL"), -9, "crashed", "killed by SIGKILL"),
    "by a segmentation fault": End("import ctypes; ctypes.string_at(0)", -11, "crashed", "killed by SIGSEGV"),
    "by an abort": End("os.abort()", -6, "crashed", "killed by SIGABRT"),
    "by os._exit(0)": End("os._exit(0)", 0, "finished", None),
    "by os._exit(7)": End("os._exit(7)", 7, "failed", "exit code 7"),
    "by a fault in its shutdown": End(
        "class Last:\n"
        "    def __del__(self, abort=os.abort): abort()\n"
        "last = Last()",
        -6, "crashed", "killed by SIGABRT",
    ),
    "after finish(), by sys.exit(3)": End("board.finish(); sys.exit(3)", 3, "finished", None),
    "after a context, by SIGKILL": End(f"with board: pass\n{KILL('SIGKILL')}", -9, "finished", None),
    "after finish('preempted'), by sys.exit(3)": End("board.finish('preempted'); sys.exit(3)", 3, "preempted", None),
    "in a context, by sys.exit(3)": End("with board: sys.exit(3)", 3, "failed", "exit code 3"),
    "in a context, by sys.exit(text)": End("with board: sys.exit('no data')", 1, "failed", "no data"),
    "in a training, by sys.exit(0)": End(f"{TRAINING}sys.exit(0)", 0, "interrupted", CUT_SHORT),
    "in a training, by os._exit(0)": End(f"{TRAINING}os._exit(0)", 0, "interrupted", CUT_SHORT),
    "in a training, by sys.exit(3)": End(f"{TRAINING}sys.exit(3)", 3, "failed", "exit code 3"),
    "in a training, by an exception": End(f"{TRAINING}raise ValueError('no luck')", 1, "failed", "no luck"),
    "in a training and a context, by sys.exit(0)": End(
        f"with board:\n  {TRAINING}  sys.exit(0)", 0, "interrupted", CUT_SHORT
    ),
    "in a training, after finish()": End(f"{TRAINING}board.finish()", 0, "finished", None),
    "after a training": End(f"{TRAINING}board.under_way = None", 0, "finished", None),
    "with an exception, on a kernel that has no pidfd": End("raise ValueError('no luck')", 1, "failed", "no luck"),
    "by sys.exit(3), on a kernel that has no pidfd": End("sys.exit(3)", 3, "failed", "exit code 3"),
    "by SIGTERM, on a kernel that has no pidfd": End(KILL("SIGTERM"), -15, "killed", "killed by SIGTERM"),
}  # fmt: skip


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Start all programs, four at a time, and return where their runs lie."""
    root = tmp_path_factory.mktemp("ends")
    waiting = list(ENDS)
    places: dict[str, Path] = {}
    started: list[tuple[str, subprocess.Popen[str]]] = []
    while waiting or started:
        if waiting and len(started) < 4:
            name = waiting.pop(0)
            places[name] = root / str(len(places))
            old = "import os; del os.pidfd_open\n" if "no pidfd" in name else ""
            started.append((name, start_program(old + PROGRAM + ENDS[name].source, places[name])))
            continue
        name, program = started.pop(0)
        run = places[name]
        if "no pidfd" in name:
            # Not reaped before its writer has looked: a parent may be too quick for an old kernel.
            wait_for(partial(_is_written, run))
        program.communicate(timeout=60)
        assert program.returncode == ENDS[name].exit_code
    yield {name: run_of(place) for name, place in places.items()}
    shutil.rmtree(root)


def _is_written(root: Path) -> bool:
    return any(root.glob("*/*")) and not writers_of(run_of(root))


@pytest.mark.parametrize("name", ENDS)
def test_a_program_that_ends(programs: dict[str, Path], name: str) -> None:
    wait_for_writers(programs[name])
    run = open_run(programs[name])
    assert run.status == ENDS[name].status
    if ENDS[name].reason is None:
        assert run.error is None
    else:
        assert (run.error or "").strip().endswith(ENDS[name].reason or "")
    assert run.ended is not None
    assert run.series("a").value.tolist() == list(range(100))
    left = {path.name for path in run.path.iterdir() if not path.name.startswith(".")}
    assert left == {"run.db", "run.digest", "scalars", "console.log", "writer.log"}


def test_no_signal_handler_and_no_hook_is_installed(tmp_path: Path) -> None:
    source = """
import signal, sys, threading
def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    return [*handlers, sys.exit, sys.excepthook, threading.excepthook, sys.unraisablehook]
before = state()
from kohakuboard import Board
board = Board(base_dir=sys.argv[1])
board.log(a=1)
assert state() == before
board.finish()
assert state() == before
"""
    program = start_program(source, tmp_path)
    assert program.communicate(timeout=60)[1].count("Error") == 0
    assert program.returncode == 0


def test_children_that_are_joined_at_the_exit_are_stored_whole(tmp_path: Path) -> None:
    """multiprocessing joins its children in an exit handler of its own, which may come after the board's."""
    source = """
import multiprocessing, sys, time
from kohakuboard import Board
board = Board(base_dir=sys.argv[1])
def work():
    for i in range(100):
        board.log({"child": i}, step=i)
        time.sleep(0.02)
multiprocessing.get_context("fork").Process(target=work).start()
board.log(a=1)
sys.exit(3)
"""
    program = start_program(source, tmp_path)
    program.communicate(timeout=60)
    run = run_of(tmp_path)
    wait_for_writers(run)
    assert open_run(run).series("child").step.tolist() == list(range(100))
    assert (open_run(run).status, open_run(run).error) == ("failed", "exit code 3")
    assert not (run / "journal").exists()


def test_a_trainer_that_was_killed_with_its_writer_crashed(tmp_path: Path) -> None:
    program = start_program(PROGRAM + "sys.stdout.write('.'); sys.stdout.flush(); signal.pause()", tmp_path)
    assert program.stdout is not None
    program.stdout.read(1)
    run = run_of(tmp_path)
    for pid in [program.pid, *writers_of(run)]:
        os.kill(pid, signal.SIGKILL)
    program.communicate(timeout=60)
    assert open_run(run).status == "crashed"
    assert recover(run)
    assert (open_run(run).status, open_run(run).error) == ("crashed", None)


# Memory


MEMORY_BYTES = 700 << 20


@contextmanager
def memory_cgroup(name: str) -> Iterator[Path]:
    """Make a cgroup that holds MEMORY_BYTES, of whichever generation is here."""
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    folder, limit = (first, "memory.limit_in_bytes") if first.is_dir() else (second, "memory.max")
    group = folder / name
    try:
        group.mkdir()
    except OSError as exc:
        pytest.skip(f"no memory cgroup can be made here: {exc}")
    try:
        try:
            (group / limit).write_text(str(MEMORY_BYTES))
        except OSError as exc:
            pytest.skip(f"no memory cgroup can be limited here: {exc}")
        yield group
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_a_trainer_that_the_kernel_killed_for_want_of_memory_crashed_and_says_so(tmp_path: Path) -> None:
    source = f"""
import os, sys
with open(sys.argv[2] + "/cgroup.procs", "w") as procs: procs.write(str(os.getpid()))
with open("/proc/self/oom_score_adj", "w") as adjust: adjust.write("1000")
{PROGRAM}
with open(f"/proc/{{board._supervisor.writer_pid}}/oom_score_adj", "w") as adjust: adjust.write("0")
hoard = []
while True: hoard.append(b"x" * (10 << 20))
"""
    with memory_cgroup(f"kohakuboard-{os.getpid()}") as group:
        program = start_program(source, tmp_path, group)
        said = program.communicate(timeout=100)[1]
        assert program.returncode == -signal.SIGKILL, said
        run = run_of(tmp_path)
        wait_for_writers(run)
    assert open_run(run).series("a").value.tolist() == list(range(100))
    assert (open_run(run).status, open_run(run).error) == ("crashed", "killed by SIGKILL: out of memory")


# Power


def test_a_run_of_another_machine_crashed_when_its_heartbeat_is_stale(tmp_path: Path) -> None:
    """Of a machine that lost its power, nobody can ask whether the process lives."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("another host name needs unshare and root")
    inner = PROGRAM + "sys.stdout.write('.'); sys.stdout.flush(); signal.pause()"
    program = subprocess.Popen(
        ["unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$0" "$@"',
         sys.executable, "-c", inner, str(tmp_path)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None
    program.stdout.read(1)
    run = run_of(tmp_path)

    wait_for(lambda: read_catalogues(str(run), names_in(run)).heartbeats)
    machine = [program.pid, *writers_of(run)]
    # All at once, as a power cut would: a writer that outlives its trainer for a moment notes that it crashed.
    for sign in (signal.SIGSTOP, signal.SIGKILL):
        for pid in machine:
            os.kill(pid, sign)
    program.communicate(timeout=60)
    assert open_run(run).status == "running"
    with closing(sqlite3.connect(run / "run.db")) as connection, connection:
        # A minute later.
        connection.execute("UPDATE writers SET heartbeat_us = heartbeat_us - 61000000")
        connection.execute("UPDATE run SET started_us = started_us - 61000000")
        connection.execute("UPDATE attempts SET started_us = started_us - 61000000")
    for segment in run.glob("journal/*/*.kbj"):
        with segment.open("r+b") as file:
            header = decode_header(file.read(HEADER_BYTES))
            assert header is not None
            earlier = header.identity._replace(started_ns=header.identity.started_ns - 61 * 10**9)
            file.seek(0)
            file.write(encode_header(header._replace(identity=earlier)))
    assert open_run(run).status == "crashed"
    recover(run)
    assert open_run(run).status == "crashed"
    assert open_run(run).series("a").value.tolist() == list(range(100))
