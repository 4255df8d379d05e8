"""Samples of the machine: of real trainers, read live, after the end, after a SIGKILL, and in continued runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from kohakuboard import Board
from kohakuboard.journal.directory import shard_directories
from kohakuboard.journal.format import machine_rank
from kohakuboard.journal.lock import FileLock
from kohakuboard.journal.process import host_name
from kohakuboard.journal.shard import Shard
from kohakuboard.reader import Run, open_run
from kohakuboard.writer import recover
from kohakuboard.writer.sampler import Sampler
from tests.reliability.processes import wait_for, wait_for_writers

CPU = "system/process/cpu"


def n_samples(run: Run, name: str = CPU) -> int:
    run.refresh()
    return run.system_metrics()[name].count if name in run.system_metrics() else 0


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board("b", base_dir=tmp_path, capture_output=False, system_metrics_every_s=0.1)
    yield board
    board.finish()


def test_samples_are_read_live_and_after_the_end_and_keep_apart_from_metrics(board: Board) -> None:
    board.log(loss=1.0, step=7)
    run = open_run(board.path)
    wait_for(lambda: n_samples(run) >= 3)
    for finished in (False, True):
        if finished:
            board.finish()
            run = open_run(board.path)
            assert not (board.path / "journal").exists()
        assert list(run.metrics) == list(run.summary) == ["loss"]
        assert run.last_step == 7
        assert [attempt.rank for attempt in run.attempts] == [0]
        assert run.ranks("system/cpu") == []
        assert run.hosts == [os.uname().nodename]
        series, metric = run.series("system/cpu"), run.system_metrics()["system/cpu"]
        assert len(series.value) == metric.count >= 3
        assert np.array_equal(series.value, run.series("system/cpu", host=run.hosts[0]).value)
        assert (np.diff(series.time.astype(np.int64)) > 0).all()
        # Whole seconds since the run began.
        seconds = (series.time - np.datetime64(run.started.replace(tzinfo=None), "us")).astype(np.int64) / 1e6
        assert np.abs(series.step - seconds).max() <= 1.0
        assert run.problems == []


def test_the_work_of_a_child_is_its_trainers(board: Board) -> None:
    board.log(a=1)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        run = open_run(board.path)
        wait_for(lambda: n_samples(run) >= 5)
        child.kill()
    values = run.series(CPU).value
    assert values.max() > 20, values  # of a core that others want, too
    assert run.system_metrics()["system/process/count"].max >= 2


def test_samples_do_not_bring_about_commits(board: Board) -> None:
    board.log(a=1)
    run = open_run(board.path)
    wait_for(lambda: n_samples(run) >= 3)
    versions = list((board.path / "scalars").glob("*.lance/_versions/*"))
    samples = n_samples(run)
    wait_for(lambda: n_samples(run) >= samples + 10)
    assert list((board.path / "scalars").glob("*.lance/_versions/*")) == versions
    assert run._snapshot.metrics.keys() == {0}, "they are in the journal still"


@pytest.mark.parametrize("off", ["argument", "variable"])
def test_none_are_taken_where_none_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    if off == "variable":
        monkeypatch.setenv("KOHAKUBOARD_SYSTEM_METRICS_EVERY_S", "0")
    board = Board(
        base_dir=tmp_path, capture_output=False, system_metrics_every_s=0 if off == "argument" else None
    )
    board.log(a=1)
    time.sleep(2.5)
    assert len(shard_directories(board.path / "journal")) == 1
    board.finish()
    run = open_run(board.path)
    assert (run.system_metrics(), run.hosts) == ({}, [])


def test_samples_survive_the_trainer_and_the_writer(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\n"
        "from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], capture_output=False, system_metrics_every_s=0.1)\n"
        "board.log(a=1)\n"
        "print(board.path, board._supervisor.writer_pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        path, writer = trainer.stdout.readline().split()
        run = open_run(path)
        wait_for(lambda: n_samples(run) >= 3)
        # Both at once: a trainer that outlives its writer starts another.
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in (trainer.pid, int(writer)):
                os.kill(pid, sign)
    wait_for_writers(Path(path))
    seen = n_samples(run)
    assert recover(Path(path))
    run = open_run(path)
    assert (run.status, run.problems, len(run.series("a").value)) == ("crashed", [], 1)
    assert n_samples(run) == len(run.series(CPU).value) >= seen
    assert not (Path(path) / "journal").exists()


def test_a_writer_that_dies_is_waited_for(tmp_path: Path) -> None:
    """Its own shard said that it lived, as it does until the system has freed its memory and its locks."""
    with Board(base_dir=tmp_path, capture_output=False) as board:
        board.log(a=1)
    samples = Shard(board.path / "journal", host=host_name(), rank=machine_rank(host_name()))
    holder = FileLock(board.path / f".writer-{host_name()}.lock")
    assert holder.acquire()
    threading.Timer(0.3, holder.release).start()
    assert recover(board.path)
    samples.close()


def test_samples_end_with_a_trainer_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], capture_output=False, system_metrics_every_s=0.1)\n"
        "board.log(a=1)\n"
        "print(board.path, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        run = open_run(trainer.stdout.readline().strip())
        wait_for(lambda: n_samples(run) >= 3)
        trainer.kill()
    wait_for_writers(run.path)
    assert n_samples(run) == len(run.series(CPU).value) >= 3
    assert (run.status, run.problems) == ("crashed", [])
    assert not (run.path / "journal").exists()


def test_a_continued_run_has_one_series_over_all_attempts(tmp_path: Path) -> None:
    path, last = tmp_path / "default" / "r", list[int]()
    for _ in range(2):
        board = Board(
            base_dir=tmp_path, run_id="r", at_step=0, capture_output=False, system_metrics_every_s=0.1
        )
        board.log(a=1, step=1)
        wait_for(lambda: n_samples(open_run(path)) >= len(last) * sum(last) + 3)
        board.finish()
        last.append(n_samples(open_run(path)))
    run = open_run(path)
    series = run.series("system/memory")
    assert len(run.attempts) == 2
    assert last[1] >= last[0] + 3
    assert len(series.value) == run.system_metrics()["system/memory"].count
    assert (np.diff(series.time.astype(np.int64)) > 0).all()
    assert (np.diff(series.step) >= 0).all()


def test_metrics_that_a_user_logs_under_the_same_name_go_first(board: Board) -> None:
    board.log({"system/cpu": 42.0}, step=3)
    run = open_run(board.path)
    wait_for(lambda: n_samples(run) >= 2)
    assert run.series("system/cpu").value.tolist() == [42.0]
    assert len(run.series("system/cpu", host=run.hosts[0]).value) >= 2
    assert run.last_step == 3


def test_a_lost_database_costs_no_samples(board: Board) -> None:
    board.log(a=1)
    run = open_run(board.path)
    wait_for(lambda: n_samples(run) >= 3)
    board.finish()
    n = n_samples(open_run(board.path))
    (board.path / "run.db").write_bytes(b"no database" * 1000)
    (board.path / "run.digest").unlink()
    assert recover(board.path)
    run = open_run(board.path)
    assert list(run.metrics) == ["a"]
    assert len(run.series("system/memory", host=os.uname().nodename).value) == n


def test_a_run_that_was_deleted_is_not_made_again(tmp_path: Path) -> None:
    run = tmp_path / "p" / "r"
    (run / "journal").mkdir(parents=True)
    taken: list[float] = []

    def sample(trainers: Iterable[int]) -> dict[str, float]:
        taken.append(1.0)
        return {"x": 1.0}

    with Sampler(run, 0.01, lambda _: sample) as sampler:
        sampler.watch(frozenset(), 1)
        wait_for(lambda: shard_directories(run / "journal"))
        shutil.rmtree(run)
        n = len(taken)
        wait_for(lambda: len(taken) > n + 3)
    assert not run.exists()


def test_a_machine_that_cannot_be_sampled_costs_samples_only(tmp_path: Path) -> None:
    run = tmp_path / "p" / "r"
    (run / "journal").mkdir(parents=True)

    def machine(_: Path) -> NoReturn:
        raise OSError("no /proc here")

    with Sampler(run, 0.01, machine) as sampler:
        sampler.watch(frozenset(), 1)
        time.sleep(0.1)
    assert shard_directories(run / "journal") == []
