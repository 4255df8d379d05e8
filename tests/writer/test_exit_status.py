from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kohakuboard.writer.exit_status import Ending, ProcessWatch, ending_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="exit codes of others are asked of Linux")


def ended(source: str) -> subprocess.Popen[bytes]:
    """Return a child that has ended and is not reaped."""
    child = subprocess.Popen([sys.executable, "-c", source], stderr=subprocess.DEVNULL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return child


@pytest.mark.parametrize(
    ("source", "wait_status"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3 << 8),
        ("import os; os._exit(255)", 255 << 8),
        ("import os; os.kill(os.getpid(), 9)", signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 15)", signal.SIGTERM),
    ],
)
def test_how_a_process_ended_is_known_while_it_is_a_zombie(source: str, wait_status: int) -> None:
    child = ended(source)
    watch = ProcessWatch(child.pid)
    assert watch.wait(0)
    assert watch.wait_status() == wait_status
    child.wait()
    assert watch.wait_status() == wait_status, "it was known, and is forgotten"


def test_a_pidfd_knows_how_a_process_ended_that_was_reaped() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input(); raise SystemExit(3)"], stdin=subprocess.PIPE)
    pidfd = os.pidfd_open(child.pid)
    try:
        watch = ProcessWatch(child.pid, pidfd)
        assert not watch.wait(0)
        assert watch.wait_status() is None
        child.communicate(b"\n")
        assert watch.wait(None)
        found = watch.wait_status()
    finally:
        os.close(pidfd)
    if found is None:
        pytest.skip("this kernel (before Linux 6.15) tells no exit code of a process that was reaped")
    assert found == 3 << 8


def test_nobody_knows_how_a_process_ended_that_was_reaped_before() -> None:
    child = ended("import sys; sys.exit(3)")
    child.wait()
    watch = ProcessWatch(child.pid)
    assert watch.wait(0)
    assert watch.wait_status() is None


@pytest.mark.parametrize(
    ("wait_status", "ending"),
    [
        (0, ("finished", None)),
        (1 << 8, ("failed", "exit code 1")),
        (signal.SIGINT, ("interrupted", "killed by SIGINT")),
        (signal.SIGHUP, ("killed", "killed by SIGHUP")),
        (signal.SIGXCPU | 0x80, ("killed", "killed by SIGXCPU")),
        (signal.SIGSEGV | 0x80, ("crashed", "killed by SIGSEGV")),
        (40, ("crashed", "killed by signal 40")),
    ],
)
def test_an_exit_code_is_the_programs_word_and_a_signal_somebody_elses(
    wait_status: int, ending: tuple[str, str | None]
) -> None:
    assert ending_of(wait_status) == Ending(*ending)


def test_only_a_process_that_was_killed_can_have_been_out_of_memory() -> None:
    assert ending_of(signal.SIGKILL, out_of_memory=True).reason == "killed by SIGKILL: out of memory"
    assert ending_of(signal.SIGSEGV, out_of_memory=True).reason == "killed by SIGSEGV"
