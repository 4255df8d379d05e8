"""The processes of one job log to one run, on one machine and on two: real processes, hosts in namespaces."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.reader import Run, open_run
from tests.reliability.mounts import bindfs
from tests.reliability.processes import wait_for, wait_for_writers

# Forks one trainer for each rank, which imports everything once, and starts them all at the same moment.
JOB = """
import os, sys, time
import kohakuboard
root, ranks, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
children = []
for rank in range(ranks):
    if (pid := os.fork()) == 0:
        os.environ["RANK"] = str(rank)
        board = kohakuboard.Board("job", base_dir=root, run_id="job", config={"ranks": ranks}, capture_output=False)
        for step in range(rows):
            board.log({"loss": rank + step / 1000, f"only/{rank}": step}, step=step)
        board.finish()
        os._exit(0)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
"""

# Logs as one rank until it is told to end, by a byte, and says when it is half done.
RANK = """
import os, sys, time
from kohakuboard import Board, Media, Table
import numpy as np
root, rank, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
board = Board("job", base_dir=root, run_id="job", rank=rank, capture_output=False)
picture = np.full((8, 8), rank, dtype=np.uint8)
for step in range(rows):
    values = {"loss": rank + step / 1000, "picture": Media(picture, caption=str(rank)), "t": Table([{"rank": rank}])}
    board.log(values if step % 100 == 0 else {"loss": rank + step / 1000}, step=step)
    time.sleep(0.002)
    if step == rows // 2:
        print("half", flush=True)
if sys.stdin.read(1):
    board.finish()
    print("finished", flush=True)
"""


def loss_of(run: Run, rank: int) -> list[float]:
    series = run.series("loss", rank=rank)
    assert series.step.tolist() == list(range(len(series.step)))
    values: list[float] = series.value.tolist()
    return values


def test_many_ranks_log_to_one_run_without_a_word_to_each_other(tmp_path: Path) -> None:
    ranks, rows = 64, 50
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(tmp_path), str(ranks), str(rows)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "default").iterdir()
    wait_for_writers(path)
    run = open_run(path)
    assert run.status == "finished"
    assert run.config == {"ranks": ranks}
    assert run.ranks("loss") == list(range(ranks))
    for rank in range(ranks):
        assert loss_of(run, rank) == [rank + step / 1000 for step in range(rows)]
        assert run.series(f"only/{rank}").step.tolist() == list(range(rows)), "also without naming the rank"
    assert run.series("loss").value.tolist() == loss_of(run, 0), "by default rank 0 is shown"
    assert run.metrics["loss"].count == rows
    whole = run.across_ranks("loss")
    assert whole.n_ranks.tolist() == [ranks] * rows
    np.testing.assert_allclose(whole.mean, (ranks - 1) / 2 + np.arange(rows) / 1000)
    np.testing.assert_allclose(whole.max - whole.min, ranks - 1)
    assert [attempt.rank for attempt in run.attempts] == list(range(ranks))
    assert {attempt.status for attempt in run.attempts} == {"finished"}
    assert not (path / "journal").exists()
    assert len(list((path / "scalars").glob("*.lance"))) == 1, "one host has one writer"


def start_rank(root: Path, rank: int, rows: int, *, host: str | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RANK, str(root), str(rank), str(rows)]
    if host is not None:
        # A host name of its own, as in a container.
        command = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$0" "$@"', *command]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate("x", timeout=60)
    assert process.returncode == 0


def test_a_rank_that_finishes_early_or_dies_says_nothing_of_the_run(tmp_path: Path) -> None:
    processes = [start_rank(tmp_path, rank, 50) for rank in range(3)]
    assert [word(process) for process in processes] == ["half"] * 3
    finish(processes[1])
    processes[2].kill()
    processes[2].communicate()
    [path] = (tmp_path / "default").iterdir()
    assert open_run(path).status == "running"
    finish(processes[0])
    wait_for_writers(path)
    run = open_run(path)
    assert run.status == "finished"
    assert [(attempt.rank, attempt.status) for attempt in run.attempts] == [
        (0, "finished"),
        (1, "finished"),
        (2, "crashed"),
    ]
    assert not (path / "journal").exists()
    for rank in range(2):
        assert loss_of(run, rank) == [rank + step / 1000 for step in range(50)]
    assert [entry.caption for entry in run.media("picture")] == ["0"]
    assert run.table("t").rows == [[0]]


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[str, str]:
    """Return the names of two hosts that can be had here."""
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("another host name takes root, and unshare")
    return "node-a", "node-b"


def test_two_hosts_whose_locks_do_not_reach_each_other_lose_nothing(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    rows = 1000
    with bindfs(tmp_path / "a", tmp_path / "shared") as a, bindfs(tmp_path / "b", tmp_path / "shared") as b:
        processes = [start_rank(a, 0, rows, host=hosts[0])]
        wait_for(lambda: list((tmp_path / "shared").glob("default/job/run.db")))
        processes.append(start_rank(b, 1, rows, host=hosts[1]))
        assert [word(process) for process in processes] == ["half"] * 2
        for mount in (a, b, tmp_path / "shared"):
            run = open_run(mount / "default" / "job")
            assert run.status == "running"
            assert [len(loss_of(run, rank)) > rows // 2 for rank in range(2)] == [True, True]
        finish(processes[1])
        finish(processes[0])
        for mount in (a, b):
            wait_for_writers(mount / "default" / "job")
    run = open_run(tmp_path / "shared" / "default" / "job")
    assert run.status == "finished"
    for rank in range(2):
        assert loss_of(run, rank) == [rank + step / 1000 for step in range(rows)]
    assert run.metrics["loss"].count == rows
    assert sorted(path.name for path in run.path.glob("*.db")) == [
        "media.db",
        "media.node-b.db",
        "run.db",
        "run.node-b.db",
    ]
    assert sorted(path.name for path in (run.path / "scalars").glob("*.lance")) == [
        "node-a.lance",
        "node-b.lance",
    ]
    assert not (run.path / "journal").exists()
    assert {attempt.host for attempt in run.attempts} == set(hosts)
    assert [entry.caption for entry in run.media("picture")] == ["0"] * (rows // 100)
    assert all(entry.read().startswith(b"\x89PNG") for entry in run.media("picture"))


@pytest.mark.slow
def test_a_host_that_dies_loses_nothing_and_what_it_left_is_there_for_readers(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    processes = [start_rank(tmp_path, rank, 200, host=host) for rank, host in enumerate(hosts)]
    assert [word(process) for process in processes] == ["half"] * 2
    path = tmp_path / "default" / "job"
    logged = len(open_run(path).series("loss", rank=1).value)
    # The whole machine at once: trainer and writer.
    children = Path(f"/proc/{processes[1].pid}/task/{processes[1].pid}/children").read_text().split()
    for pid in [processes[1].pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    processes[1].communicate()
    finish(processes[0])
    run = open_run(path)
    assert run.status == "finished"
    assert len(loss_of(run, 0)) == 200
    assert len(loss_of(run, 1)) >= logged
    assert list((path / "journal").iterdir()), "nobody takes what another machine may still be writing"


@pytest.mark.slow
def test_a_run_that_lives_on_another_host_is_not_continued(tmp_path: Path, hosts: tuple[str, str]) -> None:
    process = start_rank(tmp_path, 0, 10, host=hosts[0])
    assert word(process) == "half"
    wait_for(lambda: open_run(tmp_path / "default" / "job").heartbeat)
    # Where locks do not reach: it is the heartbeat that tells.
    (tmp_path / "default" / "job" / ".board.lock").unlink()
    program = (
        "import sys; from kohakuboard import Board\n"
        "from kohakuboard.errors import RunLiveError\n"
        "try: Board(base_dir=sys.argv[1], run_id='job', resume='must')\n"
        "except RunLiveError as exc: print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert f"is being logged to by process {process.pid} on node-a" in done.stdout
    finish(process)


@pytest.mark.parametrize("ended", [True, False], ids=["when it has ended", "after a crash a moment ago"])
def test_a_run_goes_on_on_another_host(tmp_path: Path, hosts: tuple[str, str], ended: bool) -> None:
    for host in hosts:
        process = start_rank(tmp_path, 0, 10, host=host)
        if ended or host == hosts[1]:
            finish(process)
        else:
            assert word(process) == "half"
            process.kill()
            process.communicate()
            wait_for_writers(tmp_path / "default" / "job")
    run = open_run(tmp_path / "default" / "job")
    assert [(attempt.number, attempt.host) for attempt in run.attempts] == [(1, "node-a"), (2, "node-b")]
    assert run.series("loss").step.tolist() == list(range(10))
    first = run.series("loss", attempt=1).step.tolist()
    assert first == list(range(len(first)))
    assert len(first) == 10 if ended else len(first) > 5
    assert run.metrics["loss"].count == 10
    assert len(list(run.path.glob("run*.db"))) == 1
