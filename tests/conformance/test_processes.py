"""What is asked of logging in processes, threads and signals, rule by rule; a test's name has the rule's number.

Short forms: tests/reliability/test_processes.py has the long ones, tests/client/test_rank.py all launchers.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kohakuboard import Board
from kohakuboard.client.rank import process_rank
from kohakuboard.reader import Run, Workspace, open_run
from tests.reliability.processes import run_of, wait_for_writers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")

ReadRun = Callable[[], Run]


def run_program(tmp_path: Path, source: str, *arguments: str) -> Run:
    """Run a program that makes one board below its first argument, and wait for all that it started."""
    program, root = tmp_path / "program.py", tmp_path / "runs"
    program.write_text(source)
    done = subprocess.run(
        [sys.executable, program, root, *arguments],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wait_for_writers(run_of(root))
    run = open_run(run_of(root))
    assert not run.problems
    return run


def test_r19_no_handler_of_a_signal_is_set(tmp_path: Path) -> None:
    source = """
import signal, sys
def handlers():
    return [signal.getsignal(one) for one in signal.valid_signals()]
before = handlers()
import kohakuboard
assert handlers() == before, "by the import"
board = kohakuboard.Board(base_dir=sys.argv[1])
board.log(a=1.0)
assert handlers() == before, "by a run"
board.finish()
assert handlers() == before, "by its end"
"""
    assert run_program(tmp_path, source).status == "finished"


# The lock is one that the children inherit as held, as the thread never ceases to log.
LOADER = """
import sys, threading
import torch
from torch.utils.data import DataLoader, Dataset
from kohakuboard import Board

class Items(Dataset):
    def __init__(self, board): self.board = board
    def __len__(self): return 16
    def __getitem__(self, i):
        self.board.log(item=i)
        return torch.tensor(float(i))

if __name__ == "__main__":
    method, persistent = sys.argv[2], sys.argv[3] == "persistent"
    board = Board(base_dir=sys.argv[1])
    over = threading.Event()
    def keep_logging():
        while not over.wait(0.0002):
            board.log(thread=1.0)
    thread = threading.Thread(target=keep_logging)
    thread.start()
    loader = DataLoader(Items(board), batch_size=4, num_workers=4, persistent_workers=persistent,
                        multiprocessing_context=method)
    for epoch in range(2):
        for batch in loader:
            board.log(batch=batch.sum())
    over.set()
    thread.join()
    board.log(last=1.0)
"""


@pytest.mark.parametrize("keep", ["persistent", "anew"])
@pytest.mark.parametrize(
    "method",
    [
        "fork",
        pytest.param("spawn", marks=pytest.mark.long),
        pytest.param("forkserver", marks=pytest.mark.long),
    ],
)
def test_r68_the_workers_of_a_loader_log_while_a_thread_does(tmp_path: Path, method: str, keep: str) -> None:
    run = run_program(tmp_path, LOADER, method, keep)
    assert (run.status, len(run.series("last").value)) == ("finished", 1)
    assert Counter(run.series("item").value.tolist()) == {float(i): 2 for i in range(16)}
    assert run.series("batch").value.sum() == 2 * sum(range(16))


def test_r69_a_forked_child_that_collects_garbage_harms_nothing(tmp_path: Path) -> None:
    source = """
import gc, os, sys
from kohakuboard import Board
board = Board(base_dir=sys.argv[1])
board.log(parent=0)
pid = os.fork()
if pid == 0:
    board.log(child=0)
    del board
    gc.collect()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert not board.closed
board.log(parent=1)
"""
    run = run_program(tmp_path, source)
    assert run.status == "finished"
    assert run.series("parent").value.tolist() == [0, 1]
    assert run.series("child").value.tolist() == [0]


def test_r70_two_processes_on_one_id_lose_nothing(tmp_path: Path) -> None:
    """As where a logger is touched before the training is spawned: both have it open, and log at the same time."""
    source = """
import multiprocessing, sys
from kohakuboard import Board

def log(board, who):
    for i in range(500):
        board.log({who: i, "both": i})

if __name__ == "__main__":
    board = Board(base_dir=sys.argv[1], run_id="shared")
    child = multiprocessing.get_context("spawn").Process(target=log, args=(board, "child"))
    child.start()
    log(board, "parent")
    child.join()
    assert child.exitcode == 0
    board.log(parent=500)
"""
    run = run_program(tmp_path, source)
    assert (run.id, run.status) == ("shared", "finished")
    assert run.series("parent").value.tolist() == list(range(501))
    assert run.series("child").value.tolist() == list(range(500))
    assert Counter(run.series("both").value.tolist()) == {float(i): 2 for i in range(500)}


def test_r70_a_stranger_with_the_same_id_gets_a_run_of_its_own(tmp_path: Path) -> None:
    source = """
import subprocess, sys
from kohakuboard import Board
board = Board(base_dir=sys.argv[1], run_id="shared")
board.log(who=1.0)
if len(sys.argv) == 2:
    subprocess.run([sys.executable, *sys.argv, "stranger"], check=True)
board.log(who=1.0)
"""
    program, root = tmp_path / "program.py", tmp_path / "runs"
    program.write_text(source)
    subprocess.run([sys.executable, program, root], check=True, timeout=60, capture_output=True)
    runs = Workspace(root).runs()
    assert len(runs) == 2
    assert all((run.status, run.series("who").value.tolist()) == ("finished", [1, 1]) for run in runs)


def test_r71_threads_lose_no_call(only_run: ReadRun) -> None:
    with Board() as board:

        def work(number: int) -> None:
            for i in range(1000):
                board.log({f"thread{number}": i})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    run = only_run()
    assert all(run.series(f"thread{number}").value.tolist() == list(range(1000)) for number in range(8))


def test_r71_tasks_lose_no_call(only_run: ReadRun) -> None:
    with Board() as board:

        async def work(number: int) -> None:
            for i in range(100):
                board.log({f"task{number}": i})
                await asyncio.sleep(0)

        async def work_together() -> None:
            await asyncio.gather(*map(work, range(8)))

        asyncio.run(work_together())
    run = only_run()
    assert all(run.series(f"task{number}").value.tolist() == list(range(100)) for number in range(8))


@pytest.mark.filterwarnings("ignore")  # torch's own, of how it compiles
def test_r71_a_compiled_function_logs_at_each_call(only_run: ReadRun) -> None:
    """It may break the graph, but neither log while it is compiled nor be left out afterwards."""
    with Board() as board:

        @torch.compile(backend="eager")
        def step(x: torch.Tensor) -> torch.Tensor:
            loss = (x * 2).sum()
            board.log(loss=loss)
            return loss + 1

        for i in range(4):
            assert step(torch.full((3,), float(i))).item() == 6 * i + 1
    assert only_run().series("loss").value.tolist() == [0, 6, 12, 18]


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({"RANK": "3", "LOCAL_RANK": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, 3),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}, 2),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, 3),
        ({"SLURM_PROCID": "3"}, 0),
    ],
    ids=["torchrun", "Lightning", "SLURM", "a shell of SLURM"],
)
def test_r72_the_rank_is_that_of_the_launcher(environment: dict[str, str], rank: int) -> None:
    assert process_rank(environment, {}) == rank


def test_r72_the_rank_is_not_decided_by_the_import(tmp_path: Path) -> None:
    source = """
import os, sys
os.environ["RANK"] = "1"
from kohakuboard import Board
os.environ["RANK"] = "0"
Board(base_dir=sys.argv[1]).log(a=1.0)
"""
    assert run_program(tmp_path, source).series("a").value.tolist() == [1]
