"""A live run is copied while it is written: the copy opens elsewhere, with all but the last moment in it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.reader import Run, open_run
from kohakuboard.storage.database import connect, open_for_writing
from kohakuboard.writer import recover

from .mounts import mounted, tmpfs
from .processes import wait_for, writers_of

# Rows so wide that there is a commit every other second, and a full segment each time.
TRAINER = """
import os, sys, time
import numpy as np
from kohakuboard import Board, Histogram, Media

board = Board("live", base_dir=sys.argv[1], run_id="run", config={"lr": 0.1}, capture_output=False)
calls, rate, width, rich = map(int, sys.argv[2:])
others = {f"m/{i}": 0.5 for i in range(width)}
began = time.perf_counter()
for step in range(calls):
    while time.perf_counter() < began + step / rate:
        time.sleep(0.001)
    if step == calls // 2:
        sys.stdin.readline()
    values = {"acc": step, **others}
    if rich and step % 100 == 50:
        values["weights"] = Histogram(np.full(20_000, float(step)))
        values["picture"] = Media(np.full((16, 16, 3), step % 256, dtype=np.uint8))
        values["large"] = Media(np.random.default_rng(step).integers(0, 256, (400, 400, 3), dtype=np.uint8))
    board.log(values, step=step)
    os.write(1, b"%d\\n" % step)
    if step % 1000 == 999:
        board.config["thousand"] = step
sys.stdin.read()
board.finish()
"""


COUNTING = ("--stats", "--no-whole-file")


class Trainer:
    """A trainer that goes on logging, and how far it has come."""

    def __init__(self, root: Path, *options: int) -> None:
        self.run = root / "default" / "run"
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAINER, str(root), *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        self.acknowledged = 0
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            self.acknowledged += chunk.count(b"\n")

    def kill(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self._listener.join()  # nobody else may read what it waits for
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        for pid in writers_of(self.run):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not writers_of(self.run))


def cp(source: Path, target: Path) -> None:
    # A file that is committed and deleted while it is copied is an error to cp, and the copy goes on.
    subprocess.run(["cp", "-r", source, target], capture_output=True, check=False)


def stores_first(source: Path, target: Path) -> None:
    """Copy in the worst of orders: what is committed first, and the journal last."""
    target.mkdir()
    for name in ("scalars", "histograms", "media", "journal"):
        if (source / name).exists():
            subprocess.run(["cp", "-r", source / name, target], capture_output=True, check=False)
    for path in source.glob("*.db*"):
        shutil.copy(path, target)


def rsync(source: Path, target: Path, *options: str) -> str:
    if shutil.which("rsync") is None:
        pytest.skip("there is no rsync here (Debian: apt-get install rsync)")
    command = ["rsync", "-a", *options, f"{source}/", f"{target}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 24), done.stderr  # 24: files vanished meanwhile
    return done.stdout


def last_picture(run: Path) -> int:
    return max((entry.step for entry in open_run(run).media()), default=-1)


def check_copy(run: Run, at_least: int, last_picture: int = -1) -> int:
    """Whatever was logged up to some step is there, once, and in order; return how many calls.

    Of media that are stored in the very moment of the copy, the bytes may come with the next one.
    """
    acc = run.series("acc")
    assert acc.step.tolist() == list(range(len(acc.step)))
    assert acc.value.tolist() == acc.step.tolist()
    assert len(np.unique(acc.seq)) == len(acc.seq)
    assert len(acc.step) >= at_least
    assert run.metrics["acc"].count == len(acc.step)
    assert len(run.series("m/1").step) == len(acc.step)
    assert run.config.get("thousand", -1) in range(len(acc.step) // 1000 * 1000 - 1, len(acc.step) + 1)
    for entry in run.media():
        assert entry.step > last_picture or entry.read()
    for steps in (
        [entry.step for entry in run.media("picture")],
        [entry.step for entry in run.media("large")],
        run.histograms("weights").step.tolist() if "weights" in run.histogram_names() else [],
    ):
        assert steps == list(range(50, 100 * len(steps), 100))
    return len(acc.step)


@contextmanager
def training(
    root: Path, *, calls: int = 10**9, rate: int, width: int, rich: bool = True
) -> Iterator[Trainer]:
    trainer = Trainer(root, calls, rate, width, int(rich))
    try:
        yield trainer
    finally:
        trainer.kill()


def commits_of(run: Path) -> int:
    return len(list(run.glob("scalars/*/_versions/*.manifest")))


def test_a_copy_of_a_live_run_has_all_but_the_last_moment(tmp_path: Path) -> None:
    with training(tmp_path / "runs", rate=300, width=500) as trainer:
        wait_for(lambda: commits_of(trainer.run) >= 2, timeout_s=100)
        for number in range(6):
            before, picture = trainer.acknowledged, last_picture(trainer.run)
            target = tmp_path / f"copy-{number}"
            (cp, rsync, stores_first)[number % 3](trainer.run, target)
            check_copy(open_run(target), before, picture)
            shutil.rmtree(target)
            time.sleep(0.4)


def test_a_copy_can_be_read_where_nothing_can_be_written_and_recovered_where_it_can(tmp_path: Path) -> None:
    with training(tmp_path / "runs", rate=500, width=100) as trainer:
        wait_for(lambda: commits_of(trainer.run) >= 1 and trainer.acknowledged > 1000)
        before, picture = trainer.acknowledged, last_picture(trainer.run)
        rsync(trainer.run, tmp_path / "copy")
    with mounted(tmp_path / "sealed", "mount", "--bind", "-o", "ro", tmp_path / "copy") as sealed:
        with pytest.raises(OSError, match="Read-only"):
            (sealed / "file").touch()
        count = check_copy(open_run(sealed), before, picture)
    assert recover(tmp_path / "copy")
    assert check_copy(open_run(tmp_path / "copy"), before, picture) == count


@pytest.mark.parametrize("log_bytes", [0, 32, None])
def test_a_log_that_was_only_begun_is_no_hindrance_where_nothing_can_be_written(
    tmp_path: Path, log_bytes: int | None
) -> None:
    """Beside a log of nothing but a header SQLite said "locking protocol", and the run was unreadable."""
    live, taken = tmp_path / "live", tmp_path / "taken"
    live.mkdir()
    taken.mkdir()
    with closing(open_for_writing(live / "run.db", log=True)) as database:
        database.execute("CREATE TABLE numbers (number)")
        database.commit()
        for file in live.iterdir():
            shutil.copy(file, taken)
    if log_bytes is not None:
        os.truncate(taken / "run.db-wal", log_bytes)
    with (
        mounted(tmp_path / "sealed", "mount", "--bind", "-o", "ro", taken) as sealed,
        connect(sealed / "run.db") as database,
    ):
        tables = database.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == ([("numbers",)] if log_bytes is None else [])


def test_a_second_rsync_moves_what_is_new(tmp_path: Path) -> None:
    with training(tmp_path / "runs", rate=1000, width=20) as trainer:
        wait_for(lambda: commits_of(trainer.run) >= 1 and trainer.acknowledged > 3000)
        first = literal_bytes(rsync(trainer.run, tmp_path / "copy", *COUNTING))
        time.sleep(1)
        before, picture = trainer.acknowledged, last_picture(trainer.run)
        second = literal_bytes(rsync(trainer.run, tmp_path / "copy", *COUNTING))
        check_copy(open_run(tmp_path / "copy"), before, picture)
        assert second < first / 2
        print(f"literal bytes: first {first}, second {second}, calls {before}")


def test_rsync_takes_what_was_logged_last_though_the_size_of_the_segment_is_the_same(tmp_path: Path) -> None:
    """A store to a mapped page changes no file time: rsync took the segment for the one that it had.

    On tmpfs, since on others the first store after a sync does change it.
    """
    with (
        tmpfs(tmp_path / "memory", 256 << 20) as memory,
        training(memory, calls=2000, rate=1000, width=2, rich=False) as trainer,
    ):
        wait_for(lambda: trainer.acknowledged == 1000 and commits_of(trainer.run))
        time.sleep(2)
        rsync(trainer.run, tmp_path / "copy")
        assert check_copy(open_run(tmp_path / "copy"), 1000) == 1000
        assert trainer.process.stdin is not None
        trainer.process.stdin.write(b"\n")
        wait_for(lambda: trainer.acknowledged == 2000)
        time.sleep(2)
        assert len(list(trainer.run.glob("journal/r0-*/*.kbj"))) == 1
        rsync(trainer.run, tmp_path / "copy")
        assert check_copy(open_run(tmp_path / "copy"), 2000) == 2000


def literal_bytes(statistics: str) -> int:
    found = re.search(r"Literal data: ([\d,]+)", statistics)
    assert found is not None
    return int(found[1].replace(",", ""))
