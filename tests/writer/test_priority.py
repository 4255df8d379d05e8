from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.writer.priority import NICENESS
from tests.reliability.processes import wait_for, writers_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sessions have no nice value elsewhere")


def niceness_of_session(pid: int | str) -> str:
    """Return the nice value of a process's session; nothing for the one that the system began with, which has none."""
    try:
        return "".join(Path(f"/proc/{pid}/autogroup").read_text().split()[-1:])
    except OSError:
        pytest.skip("this kernel gives sessions no share of their own")


def test_a_writer_leaves_the_processor_to_training() -> None:
    """It was nice within its session, where there is nobody else, and so took half of a core that both wanted."""
    ours = niceness_of_session("self")
    with Board() as board:
        board.log(a=1.0)
        wait_for(lambda: len(writers_of(board.path)) == 1)
        (writer,) = writers_of(board.path)
        wait_for(lambda: niceness_of_session(writer) == str(NICENESS))
        assert os.getpriority(os.PRIO_PROCESS, writer) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
    assert niceness_of_session("self") == ours


PROGRAM = """
import json, os, time
from pathlib import Path
from kohakuboard.writer.priority import keep_up, step_back
def niceness():
    session = Path("/proc/self/autogroup").read_text().split()[-1:]
    return ["".join(session), os.getpriority(os.PRIO_PROCESS, 0)]
found = [niceness()]
step_back()
found.append(niceness())
time.sleep(0.2)  # the kernel lets who has no privileges change it ten times a second
keep_up()
found.append(niceness())
print(json.dumps(found))
"""


def niceness_told(*, in_own_session: bool) -> list[list[str | int]]:
    """Return the nice values of the session and the process: at first, stepped back, and keeping up again."""
    niceness_of_session("self")  # which skips the test where there is none
    command = [sys.executable, "-c", PROGRAM]
    told: list[list[str | int]] = json.loads(
        subprocess.check_output(command, start_new_session=in_own_session)
    )
    return told


def test_it_takes_its_share_again_when_training_waits_for_it() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    nice = ours + NICENESS
    assert niceness_told(in_own_session=True) == [["0", ours], [str(NICENESS), nice], ["0", nice]]


def test_only_a_session_of_its_own_is_changed() -> None:
    """A writer that is started by hand is in the session of the shell, with all that the shell runs."""
    ours, session = os.getpriority(os.PRIO_PROCESS, 0), niceness_of_session("self")
    nice = ours + NICENESS
    assert niceness_told(in_own_session=False) == [[session, ours], [session, nice], [session, nice]]
