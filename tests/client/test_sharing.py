"""A board in other processes; more of them are in tests/reliability/test_processes.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.client.boards import run_script, steps, the_run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_logs_to_a_shard_of_its_own_and_ends_nothing(tmp_path: Path) -> None:
    run_script(
        "import os, sys; from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1])\n"
        "board.log({'parent': 0}, step=0)\n"
        "children = []\n"
        "for child in range(3):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        for i in range(50): board.log({f'child{child}': i}, step=i)\n"
        "        board.finish()\n"
        "        sys.exit(0)\n"
        "    children.append(pid)\n"
        "for pid in children: assert os.waitpid(pid, 0)[1] == 0\n"
        "board.log({'parent': 1}, step=1)\n",
        str(tmp_path),
    )
    run = the_run(tmp_path)
    assert run.status == "finished"
    assert run.series("parent").value.tolist() == [0, 1]
    for child in range(3):
        assert steps(run, f"child{child}") == list(range(50))
