"""Forks, spawned processes, data loaders, threads and tasks that log to one board: every call is there, once.

The programs are files, as `multiprocessing` imports the main module again in the processes that it spawns.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.journal.directory import shard_directories
from kohakuboard.journal.scan import ShardCursor
from kohakuboard.reader import Run, open_run
from tests.reliability.processes import run_of, wait_for_writers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")


def run_program(tmp_path: Path, source: str, *arguments: object, code: int = 0) -> Run:
    """Run a program that makes one board below its first argument, and wait for all that it started."""
    program = tmp_path / "program.py"
    program.write_text(source)
    root = tmp_path / "runs"
    done = subprocess.run(
        [sys.executable, program, root, *map(str, arguments)],
        capture_output=True, text=True, timeout=110, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    wait_for_writers(run_of(root))
    run = open_run(run_of(root))
    assert not run.problems
    return run


def counts(run: Run, name: str) -> Counter[float]:
    """Return how often each value of a metric is there."""
    return Counter(run.series(name).value.tolist())


# Forks


@pytest.mark.parametrize(
    "end",
    ["os._exit(1)", "sys.exit(1)", "1 / 0", "os.kill(os.getpid(), signal.SIGKILL)", "board.finish('failed')"],
)
def test_however_a_forked_child_ends_its_points_are_there_and_the_run_goes_on(
    tmp_path: Path, end: str
) -> None:
    source = f"""
import gc, os, signal, sys
from kohakuboard import Board
board = Board(base_dir=sys.argv[1])
board.log(parent=0)
pid = os.fork()
if pid == 0:
    gc.collect()
    for i in range(100):
        board.log(child=i)
    gc.collect()
    {end}
    os._exit(0)
os.waitpid(pid, 0)
board.log(parent=1)
"""
    run = run_program(tmp_path, source)
    assert (run.status, run.error) == ("finished", None)
    assert run.series("parent").value.tolist() == [0, 1]
    assert run.series("child").value.tolist() == list(range(100))
    assert not (run.path / "journal").exists()


def test_a_childs_shard_names_the_shard_of_its_parent(tmp_path: Path) -> None:
    source = """
import os, signal, sys
from kohakuboard import Board
board = Board(base_dir=sys.argv[1])
if os.fork() == 0:
    board.log(child=1)
    if os.fork() == 0:
        board.log(grandchild=1)
    else:
        os.wait()
    os._exit(0)
os.wait()
for pid in (board._supervisor.writer_pid, os.getpid()):
    os.kill(pid, signal.SIGKILL)  # the journal stays
"""
    run = run_program(tmp_path, source, code=-9)
    parents = {}
    for directory in shard_directories(run.path / "journal"):
        cursor = ShardCursor(directory)
        cursor.read()
        assert cursor.identity is not None
        parents[cursor.identity.shard] = cursor.identity.parent
    trainer, child, grandchild = parents
    assert parents == {trainer: None, child: trainer, grandchild: child}


@pytest.mark.parametrize("forks", [40, pytest.param(500, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_a_fork_while_other_threads_log_costs_no_call_and_stops_nobody(tmp_path: Path, forks: int) -> None:
    """Many times: whatever a thread held at that moment is held for ever in the child."""
    source = """
import os, sys, threading
from kohakuboard import Board
board = Board(base_dir=sys.argv[1], capture_output=False)
forks, done = int(sys.argv[2]), threading.Event()
logged = [0] * 4
padding = {f"m{i}": 0.5 for i in range(200)}  # segments change often

def work(number):
    while not done.is_set():
        board.log({f"thread{number}": logged[number], **padding})
        logged[number] += 1

threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for thread in threads: thread.start()
for fork in range(forks):
    pid = os.fork()
    if pid == 0:
        board.log(child=fork)
        board.log(child=fork)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
done.set()
for thread in threads: thread.join()
board.summary["logged"] = logged
"""
    run = run_program(tmp_path, source, forks)
    assert run.status == "finished"
    assert counts(run, "child") == {float(fork): 2 for fork in range(forks)}
    for number, logged in enumerate(run.summary["logged"]):
        assert run.series(f"thread{number}").value.tolist() == list(range(logged))


def test_a_fork_during_finish_neither_waits_nor_ends_the_run_twice(tmp_path: Path) -> None:
    source = """
import os, sys, threading, time
from kohakuboard import Board
from kohakuboard.errors import BoardClosedError
for _ in range(3):
    board = Board("one", run_id="one", base_dir=sys.argv[1], capture_output=False)
    board.log(a=1)
    thread = threading.Thread(target=board.finish)
    thread.start()
    children = []
    while thread.is_alive():
        pid = os.fork()
        if pid == 0:
            try:
                board.log(child=1)
                board.finish("failed")
            except BoardClosedError:
                os._exit(0)
            os._exit(0)
        children.append(pid)
        time.sleep(0.01)
    for pid in children: assert os.waitpid(pid, 0)[1] == 0
    thread.join()
    assert children
"""
    run = run_program(tmp_path, source)
    assert run.status == "finished"
    assert run.series("a").value.tolist() == [1, 1, 1]


# multiprocessing


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_and_pools_log_to_their_parents_run(tmp_path: Path, method: str) -> None:
    source = """
import multiprocessing, os, sys
from kohakuboard import Board, Histogram

def work(board, number):
    assert board.config["lr"] == 0.1
    with board:  # ends nothing here
        for i in range(50):
            board.log({"process": number * 50 + i})
    board.log(late=number, weights=Histogram([1.0, 2.0, float(number)]))
    board.summary[f"process{number}"] = os.getpid()

def item(job):
    board, number = job
    board.log(pool=number)
    return number

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    with Board(base_dir=sys.argv[1], config={"lr": 0.1}) as board:
        board.log(parent=0)
        processes = [context.Process(target=work, args=(board, i)) for i in range(2)]
        for process in processes: process.start()
        for process in processes: process.join()
        assert [process.exitcode for process in processes] == [0, 0]
        with context.Pool(2) as pool:
            assert pool.map(item, [(board, i) for i in range(40)]) == list(range(40))
        board.log(parent=1)
"""
    run = run_program(tmp_path, source, method)
    assert run.status == "finished"
    assert run.series("parent").value.tolist() == [0, 1]
    assert counts(run, "process") == Counter(map(float, range(100)))
    assert counts(run, "pool") == Counter(map(float, range(40)))
    assert counts(run, "late") == {0.0: 1, 1.0: 1}
    assert len(run.histograms("weights").step) == 2
    assert len({run.summary["process0"], run.summary["process1"]}) == 2


@pytest.mark.parametrize("method", ["fork", "spawn", pytest.param("forkserver", marks=pytest.mark.long)])
def test_the_workers_of_a_data_loader_log_each_item_once(tmp_path: Path, method: str) -> None:
    source = """
import sys
import torch
from torch.utils.data import DataLoader, Dataset
from kohakuboard import Board

class Items(Dataset):
    def __init__(self, board): self.board = board
    def __len__(self): return 64
    def __getitem__(self, i):
        self.board.log(item=i)
        return torch.tensor(float(i))

if __name__ == "__main__":
    board = Board(base_dir=sys.argv[1])
    loader = DataLoader(Items(board), batch_size=4, num_workers=4, persistent_workers=True,
                        multiprocessing_context=sys.argv[2])
    for epoch in range(2):
        for batch in loader:
            board.log(batch=batch.sum())
"""
    run = run_program(tmp_path, source, method)
    assert run.status == "finished"
    assert counts(run, "item") == {float(i): 2 for i in range(64)}
    assert run.metrics["batch"].count == 32
    assert run.series("batch").value.sum() == 2 * sum(range(64))


def test_a_board_that_is_copied_or_unpickled_where_it_lives_is_itself(tmp_path: Path) -> None:
    import copy
    import pickle

    with Board(base_dir=tmp_path) as board:
        assert copy.copy(board) is board
        assert copy.deepcopy({"logger": board})["logger"] is board
        assert pickle.loads(pickle.dumps(board)) is board


def test_a_pickle_begins_no_run_where_its_directory_is_not(tmp_path: Path) -> None:
    source = """
import pickle, shutil, sys
from kohakuboard import Board
if len(sys.argv) > 3:
    board = pickle.load(sys.stdin.buffer)
    board.log(a=1)
    board.finish()
else:
    import subprocess
    board = Board(base_dir=sys.argv[1])
    data = pickle.dumps(board).replace(b"default", b"elsewhere"[:7])
    done = subprocess.run([sys.executable, *sys.argv, "x", "y"], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    board.summary["said"] = done.stderr.decode()
"""
    run = run_program(tmp_path, source)
    assert "dropped" in run.summary["said"]
    assert not (run.path.parents[1] / "elsewhe").exists()


# Threads and tasks


def test_64_threads_lose_no_call(tmp_path: Path) -> None:
    source = """
import sys, threading
from kohakuboard import Board
sys.setswitchinterval(1e-5)
board = Board(base_dir=sys.argv[1])
def work(number):
    for i in range(2000):
        board.log({f"thread{number}": i, "all": number})
threads = [threading.Thread(target=work, args=(i,)) for i in range(64)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    run = run_program(tmp_path, source)
    for number in range(64):
        assert run.series(f"thread{number}").value.tolist() == list(range(2000))
    assert counts(run, "all") == {float(number): 2000 for number in range(64)}


def test_tasks_of_an_event_loop_log_without_stopping_it(tmp_path: Path) -> None:
    source = """
import asyncio, sys
from kohakuboard import Board
async def work(board, number):
    for i in range(100):
        board.log({f"task{number}": i})
        await asyncio.sleep(0)
async def main():
    with Board(base_dir=sys.argv[1]) as board:
        await asyncio.gather(*(work(board, i) for i in range(50)), asyncio.to_thread(board.log, thread=1))
asyncio.run(main())
"""
    run = run_program(tmp_path, source)
    assert run.status == "finished"
    for number in range(50):
        assert run.series(f"task{number}").value.tolist() == list(range(100))
    assert run.series("thread").value.tolist() == [1]
