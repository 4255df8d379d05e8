from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.client import supervisor as supervisor_module
from kohakuboard.journal.directory import name_on_its_way_out
from kohakuboard.reader import open_run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no such signals and forks here")


def run_script(source: str, root: Path) -> Path:
    """Run a program that makes one board; return the path of its run."""
    done = subprocess.run(
        [sys.executable, "-c", source, str(root)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (path,) = root.glob("*/*")
    return path


def kill_writer(board: Board) -> None:
    writer = board._supervisor._writer
    assert writer is not None
    os.kill(writer.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while writer.returncode is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_finish_ends_the_pause_before_a_new_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """finish() sat out the pause, of up to half a minute, before a writer came that could write the rest."""
    monkeypatch.setattr(supervisor_module, "FIRST_BACKOFF_S", 1000.0)
    monkeypatch.setattr(supervisor_module, "LONGEST_BACKOFF_S", 1000.0)
    board = Board(base_dir=tmp_path)
    board.log(a=1.0)
    kill_writer(board)
    board.finish(timeout_s=20)
    assert not (board.path / "journal").exists()
    assert open_run(board.path).series("a").value.tolist() == [1.0]


@pytest.mark.parametrize("finishing", [False, True])
def test_a_writer_that_is_killed_where_nobody_learns_how_it_ended_is_replaced(
    tmp_path: Path, finishing: bool
) -> None:
    """With SIGCHLD ignored, as some launchers leave it, a killed writer was taken for one that had written all."""
    kill = "os.kill(board._supervisor.writer_pid, signal.SIGKILL)\n"
    source = (
        "import os, signal, sys, threading, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1])\n"
        "board.log(a=1.0)\n"
    )
    if finishing:
        source += "os.kill(board._supervisor.writer_pid, signal.SIGSTOP)\n"
        source += f"def kill():\n    {kill}threading.Timer(0.5, kill).start()\n"
    else:
        source += f"{kill}time.sleep(0.2)\n"
    run = run_script(source + "board.finish()\nassert not (board.path / 'journal').exists()", tmp_path)
    assert open_run(run).status == "finished"
    assert open_run(run).series("a").value.tolist() == [1.0]


def test_a_writer_that_is_killed_while_it_deletes_the_journal_is_replaced(tmp_path: Path) -> None:
    """All is stored then, and what it left would have stayed on the disk."""
    board = Board(base_dir=tmp_path, capture_output=False)
    writer = board._supervisor.writer_pid
    assert writer is not None
    os.kill(writer, signal.SIGSTOP)
    finishing = threading.Thread(target=board.finish)
    finishing.start()
    while not board._supervisor._finishing.is_set():
        time.sleep(0.01)
    shard = board._supervisor._shard
    left = shard.rename(name_on_its_way_out(shard))
    os.kill(writer, signal.SIGKILL)
    finishing.join(60)
    assert not left.exists()
    assert not (board.path / "journal").exists()


def test_a_forked_child_closes_no_file_but_the_pipe(tmp_path: Path) -> None:
    """A child closed the pipe by its number; its own child, or the garbage collector, then closed whatever file had
    got that number since."""
    run = run_script(
        "import gc, os, sys\n"
        "from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1])\n"
        "fd = board._supervisor._writer.stdin.fileno()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    mine = os.open(os.devnull, os.O_WRONLY)\n"
        "    os.dup2(mine, fd)\n"
        "    grandchild = os.fork()\n"
        "    if grandchild == 0:\n"
        "        os._exit(os.write(fd, b'x') - 1)\n"
        "    assert os.waitpid(grandchild, 0)[1] == 0\n"
        "    board._supervisor._writer.stdin = None\n"
        "    gc.collect()\n"
        "    os._exit(os.write(fd, b'x') - 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "board.log(a=1.0)\n",
        tmp_path,
    )
    assert open_run(run).status == "finished"
