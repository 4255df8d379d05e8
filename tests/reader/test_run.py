from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.errors import (
    AmbiguousRunError,
    DamagedSeriesError,
    MetricNotFoundError,
    NotARunError,
    RunNotFoundError,
)
from kohakuboard.journal.shard import Shard
from kohakuboard.reader import Run, Workspace, find_workspace, open_run
from kohakuboard.reader.catalogue import names_in, stamp
from kohakuboard.writer.drain import Drain


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board("b", base_dir=tmp_path, config={"lr": 0.1}, tags=["t"], notes="n", group="g")
    yield board
    board.finish()


def killed_run(root: Path, calls: int) -> Path:
    """Return a run whose trainer and writer were killed; the writer as soon as it had committed something."""
    program = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], capture_output=False)\n"
        "for i in range(int(sys.argv[2]) // 2): board.log({'a': i}, step=i)\n"
        "while not (board.path / 'scalars').exists() or not (board.path / 'run.db-wal').exists(): time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "for i in range(int(sys.argv[2]) // 2, int(sys.argv[2])): board.log({'a': i}, step=i)\n"
        "print(board.path, flush=True)\n"
        "os.kill(board._supervisor.writer_pid, signal.SIGKILL)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(root), str(calls)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return Path(done.stdout.strip())


def test_a_running_run_is_complete_from_its_first_moment(board: Board) -> None:
    board.log(a=1.0)
    run = open_run(board.path)
    assert run.status == "running"
    assert (run.name, run.config, run.tags, run.notes, run.group) == ("b", {"lr": 0.1}, ["t"], "n", "g")
    assert run.series("a").value.tolist() == [1.0]
    assert run.duration_s >= 0
    assert run.ended is None


def test_every_point_is_there_at_every_moment_of_a_live_run(board: Board) -> None:
    """Points move from the journal to Lance while somebody looks: never missing, never twice, at no refresh."""
    run = open_run(board.path)
    logged = 0
    deadline = time.monotonic() + 60  # of a busy machine; it ends as soon as it has seen enough
    in_lance = False
    row = {f"m{i}": 0.0 for i in range(200)}
    while time.monotonic() < deadline and not (in_lance and logged > 8000):
        for _ in range(100):
            board.log({**row, "a": float(logged)}, step=logged)
            logged += 1
        run.refresh()
        assert run.series("a").step.tolist() == list(range(logged))
        assert run.metrics["a"].count == logged
        assert run.last_step == logged - 1
        in_lance = in_lance or any(board.path.glob("scalars/*/data/*.lance"))
    assert in_lance, "nothing was committed while the test looked"


def test_the_version_changes_when_there_is_something_new_and_only_then(board: Board) -> None:
    run = open_run(board.path)
    before = run.version
    board.log(a=1)
    after = run.version
    assert after != before
    assert run.version == after
    board.config["x"] = 1
    assert run.version != after
    assert run.config["x"] == 1
    board.finish()
    last = run.version
    assert run.status == "finished"
    assert run.version == last


def test_the_stored_version_also_changes_when_what_was_logged_is_stored(tmp_path: Path) -> None:
    """Media and the like cannot be read before; a page that waits for them has to hear of it."""
    path = tmp_path / "p" / "r"
    shard = Shard(path / "journal", rank=0, host=os.uname().nodename)
    shard.row(0, {"a": 0.0})
    run = open_run(path)
    logged, before = run.version, run.stored_version
    drain = Drain(path, "here")
    drain.exhaust()
    assert run.refresh() is False
    assert run.version == logged
    assert run.stored_version != before
    drain.close()
    shard.close()


def test_a_killed_run_is_complete_on_a_read_only_mount(tmp_path: Path) -> None:
    """A database left with a write-ahead log, and no place to make the file that SQLite wants beside it."""
    path = killed_run(tmp_path / "runs", 2000)
    assert (path / "run.db-wal").stat().st_size > 0
    mount = tmp_path / "mount"
    mount.mkdir()
    if os.geteuid() != 0 or not mount_read_only(path, mount):
        pytest.skip("a read-only mount takes root, and a system that lets it")
    try:
        before = {file: file.stat().st_mtime_ns for file in mount.rglob("*")}
        run = open_run(mount)
        assert run.status == "crashed"
        assert run.series("a").step.tolist() == list(range(2000))
        assert run.metrics["a"].max == 1999
        assert {file: file.stat().st_mtime_ns for file in mount.rglob("*")} == before
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def mount_read_only(source: Path, mount: Path) -> bool:
    """Copy a run to a small file system without the shared-memory file of SQLite, and make that read-only."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(mount)]).returncode:
        return False
    shutil.copytree(source, mount, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run.db-shm"))
    return subprocess.run(["mount", "-o", "remount,ro", str(mount)]).returncode == 0


def test_a_copied_run_opens_anywhere(board: Board, tmp_path: Path) -> None:
    board.log(a=1.0)
    board.finish()
    copy = shutil.copytree(board.path, tmp_path / "elsewhere" / "copy")
    shutil.rmtree(board.path)
    assert open_run(copy).series("a").value.tolist() == [1.0]
    assert open_run(copy).name == "b"


def test_a_run_that_is_continued_keeps_its_name_unless_another_is_given(tmp_path: Path) -> None:
    for name, expected in (("first", "first"), (None, "first"), ("second", "second")):
        board = Board(name, base_dir=tmp_path, run_id="same")
        assert open_run(board.path).name == expected
        board.finish()
        assert open_run(board.path).name == expected


def test_an_unknown_series_names_its_neighbours(board: Board) -> None:
    board.log({"train/loss": 1.0})
    with pytest.raises(MetricNotFoundError, match="did you mean 'train/loss'"):
        open_run(board.path).series("train/los")


def test_points_that_cannot_be_read_are_an_error_of_their_own(board: Board) -> None:
    board.log(a=1.0)
    board.finish()
    for file in board.path.glob("scalars/*/data/*"):
        file.write_bytes(b"")
    with pytest.raises(DamagedSeriesError, match="'a'"):
        open_run(board.path).series("a")


def test_a_damaged_database_makes_the_run_unreadable_and_leaves_the_list_alone(
    board: Board, tmp_path: Path
) -> None:
    board.log(a=1.0)
    board.finish()
    with Board("whole", base_dir=tmp_path) as whole:
        whole.log(a=2.0)
    (board.path / "run.db").write_bytes(b"this is no database" * 1000)
    runs = Workspace(tmp_path).runs()
    assert {run.status for run in runs} == {"unreadable", "finished"}
    (broken,) = [run for run in runs if run.status == "unreadable"]
    assert "run.db" in (broken.error or "")


def test_a_run_of_which_only_points_are_left_is_listed_and_says_so(board: Board, tmp_path: Path) -> None:
    """As an incomplete copy leaves it."""
    board.log(a=1.0)
    board.finish()
    for name in ("run.db", "run.digest"):
        (board.path / name).unlink()
    [run] = Workspace(tmp_path).runs()
    assert (run.status, open_run(board.path).status) == ("unreadable", "unreadable")
    assert "run.db is missing" in (run.error or "")
    assert run.series("a").value.tolist() == [1.0]


def test_what_is_no_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotARunError, match="no such directory"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(NotARunError, match="neither"):
        open_run(tmp_path)


def test_steps_and_values_are_those_of_the_whole_series(tmp_path: Path) -> None:
    """Of an attempt that ended, one that runs, both of them, a metric of one of them, and samples of the machine."""

    def assert_same(run: Run, name: str, **which: object) -> None:
        whole, alone = run.series(name, **which), run.by_step(name, **which)  # type: ignore[arg-type]
        assert list(alone.step) == whole.step.tolist()
        assert alone.value.tolist() == whole.value.tolist()

    with Board(base_dir=tmp_path, run_id="r", capture_output=False) as board:
        for step in range(50):
            board.log(even=step, backwards=step, step=step)
        board.log(backwards=7, first=1, step=3)
    run = open_run(board.path)
    assert run.by_step("even").step == range(50)
    for name in ("even", "backwards", "first"):
        assert_same(run, name)
    # Another process: one that takes up again what it had finished itself goes on with its attempt.
    program = (
        "import sys\n"
        "from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], run_id='r', capture_output=False)\n"
        "for step in range(30, 60): board.log(even=step + 0.5, second=step, step=step)\n"
        "print(flush=True)\n"
        "input()\n"
        "board.finish()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as later:
        assert later.stdout is not None
        later.stdout.readline()
        for _ in ("while it runs", "when it has ended"):
            run.refresh()
            for name in ("even", "backwards", "first", "second"):
                assert_same(run, name)
            assert_same(run, "even", attempt=1)
            assert_same(run, "even", attempt=2)
            if later.poll() is None:
                later.communicate("\n", timeout=60)
    assert later.returncode == 0
    for name in run.system_metrics():
        assert_same(run, name, host=run.hosts[0])
    with pytest.raises(MetricNotFoundError):
        run.by_step("nothing")


def test_a_workspace_finds_runs_by_id_project_and_prefix(tmp_path: Path) -> None:
    for project, run_id in (("p", "abc-1"), ("p", "abc-2"), ("q", "abd-1")):
        with Board(base_dir=tmp_path, project=project, run_id=run_id) as board:
            board.log(a=1)
    workspace = Workspace(tmp_path)
    assert [run.id for run in workspace.runs()] == ["abd-1", "abc-2", "abc-1"]
    assert workspace.projects() == ["p", "q"]
    assert workspace.run("abc-1").project == "p"
    assert workspace.run("q/abd-1").id == "abd-1"
    assert workspace.run("abd").id == "abd-1"
    with pytest.raises(AmbiguousRunError, match="2 runs"):
        workspace.run("abc")
    with pytest.raises(RunNotFoundError, match="nope"):
        workspace.run("nope")

    def found(path: Path) -> tuple[Path, str | None, Run | None]:
        workspace, project, run = find_workspace(path)
        return workspace.root, project, run

    assert found(tmp_path) == (tmp_path, None, None)
    assert found(tmp_path / "p") == (tmp_path, "p", None)
    root, folder, run = found(tmp_path / "p" / "abc-1")
    assert (root, folder) == (tmp_path, "p")
    assert run is not None
    assert run.id == "abc-1"


def test_reading_does_not_need_the_writer_and_starts_none(tmp_path: Path) -> None:
    path = killed_run(tmp_path, 200)
    files = sorted(path.rglob("*"))
    run = open_run(path)
    assert run.series("a").step.tolist() == list(range(200))
    run.refresh()
    # SQLite may make its own shared-memory file beside a write-ahead log; nothing else appears or goes.
    assert {file for file in path.rglob("*") if file.suffix != ".db-shm"} ^ {
        file for file in files if file.suffix != ".db-shm"
    } == set()


def test_a_series_read_long_after_the_snapshot_holds_each_point_once(board: Board) -> None:
    """The stores were newer than the snapshot, did not fit its shards, and their points came twice."""
    run = open_run(board.path)
    for i in range(100):
        board.log(a=i)
    run.refresh()
    deadline = time.monotonic() + 20
    while not any(board.path.glob("scalars/*/data/*.lance")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    board.finish()
    assert run.series("a").step.tolist() == list(range(100))


def test_a_flush_between_two_readings_counts_nothing_twice(tmp_path: Path) -> None:
    """What was flushed after the tail was read, and before run.db was, stayed in the tail for good."""
    path = tmp_path / "p" / "r"
    shard = Shard(path / "journal", rank=0, host=os.uname().nodename)
    shard.row(0, {"a": 0.0})
    run = open_run(path)
    for i in range(1, 11):
        shard.row(i, {"a": float(i)})
    drain = Drain(path, "here")
    drain.exhaust()
    # The second half of a refresh whose first half came before the flush.
    run._read_catalogue()
    run._stamp = stamp(str(path), names_in(path))
    shard.row(11, {"a": 11.0})
    run.refresh()
    assert run.metrics["a"].count == 12
    assert run.series("a").step.tolist() == list(range(12))
    drain.close()
    shard.close()


def test_a_database_that_is_locked_for_a_while_is_tried_again(board: Board) -> None:
    """A passing error was taken for good until run.db changed, which that of a finished run never does."""
    board.log(a=1)
    board.finish()
    (board.path / "run.digest").unlink()  # it would be read in spite of the lock
    locker = sqlite3.connect(board.path / "run.db", isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    run = open_run(board.path)
    assert run.status == "unreadable"
    assert "locked" in (run.error or "")
    locker.execute("ROLLBACK")
    locker.close()
    run.refresh()
    assert run.status == "finished"
