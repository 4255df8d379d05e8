"""A whole run on FUSE, which stands for all file systems that must not be mapped: logged, killed, read back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.journal.filesystem import file_system
from kohakuboard.reader import Run, open_run
from kohakuboard.writer import recover

from .mounts import bindfs

# Logs scalars, and now and then rich values small and large; tells each step once its call has returned.
TRAINER = """
import os, sys, time
import numpy as np
from kohakuboard import Board, Histogram, Media, Table

board = Board("far", base_dir=sys.argv[1], config={"lr": 0.1}, capture_output=False)
os.write(1, f"{board.path} {board._supervisor.writer_pid}\\n".encode())
for step in range(int(sys.argv[2])):
    values = {"loss": 1 / (step + 1), "acc": step}
    if step % 100 == 50:
        values["weights"] = Histogram(np.full(20_000, float(step)))
        values["picture"] = Media(np.full((16, 16, 3), step % 256, dtype=np.uint8))
        values["large"] = Media(np.random.default_rng(step).integers(0, 256, (400, 400, 3), dtype=np.uint8))
        values["table"] = Table([{"step": step}])
    board.log(values, step=step)
    os.write(1, b"%d\\n" % step)
    time.sleep(0.001)
if sys.argv[3:]:
    sys.stdin.read()
board.finish()
"""


class Trainer:
    """A trainer that logs to a directory, and what it said."""

    def __init__(self, root: Path, calls: int, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAINER, str(root), str(calls), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert self.process.stdout is not None
        path, writer = self.process.stdout.readline().split()
        self.path, self.writer = Path(os.fsdecode(path)), int(writer)
        self._told = b""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            self._told += chunk

    @property
    def acknowledged(self) -> int:
        """Return how many calls are known to have returned."""
        return self._told.count(b"\n")

    def end(self, *signals: tuple[int, signal.Signals]) -> None:
        """Send signals, let the trainer end, and hear the last it said."""
        for pid, number in signals:
            os.kill(pid, number)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self._listener.join(timeout=60)  # nobody else may read what it waits for
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Path]:
    with bindfs(tmp_path / "far", tmp_path / "server") as mount:
        yield mount


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def mapped_files(pid: int) -> list[str]:
    return [
        line.split(maxsplit=5)[5]
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
        if "/" in line
    ]


def check_whole(run: Run, calls: int) -> None:
    """Each call is there once; one more may have been cut off after it was written."""
    for name in ("loss", "acc"):
        series = run.series(name)
        assert len(series.step) - calls in (0, 1)
        assert series.step.tolist() == list(range(len(series.step)))
        assert len(np.unique(series.seq)) == len(series.seq)
    assert run.series("acc").value.tolist() == run.series("acc").step.tolist()
    assert run.config == {"lr": 0.1}


def check_rich(run: Run, calls: int) -> None:
    steps = list(range(50, calls, 100))
    assert run.problems == []
    assert run.histograms("weights").step.tolist() == steps
    assert [entry.step for entry in run.media("picture")] == steps
    for entry in run.media("large"):
        assert len(entry.read()) > 256 * 1024
    assert len(run.media("large")) == len(steps)
    assert run.table("table").rows == [[steps[-1]]]


def test_nothing_is_mapped_on_fuse_and_the_run_is_whole(far: Path) -> None:
    assert (file_system(far) or "").startswith("fuse")
    trainer = Trainer(far, 400, "wait")
    wait_for(lambda: trainer.acknowledged == 400)
    wait_for(
        lambda: open_run(trainer.path).metrics["acc"].count == 400 and (trainer.path / "run.db").exists()
    )
    for pid in (trainer.process.pid, trainer.writer):
        assert [
            name for name in mapped_files(pid) if str(far) in name or ".kbj" in name or "-shm" in name
        ] == []
    assert list(trainer.path.glob("*-wal")) == []
    (segment,) = trainer.path.glob("journal/*/*.kbj")
    assert segment.stat().st_size < 200_000, "space was reserved"
    check_whole(open_run(trainer.path), 400)

    trainer.end()
    run = open_run(trainer.path)
    assert run.status == "finished"
    check_whole(run, 400)
    check_rich(run, 400)
    assert not (trainer.path / "journal").exists()


@pytest.mark.parametrize("victims", ["trainer", "writer", "both"])
def test_kill_9_loses_nothing_on_fuse(far: Path, victims: str) -> None:
    trainer = Trainer(far, 600 if victims == "writer" else 10**9)
    wait_for(lambda: trainer.acknowledged > 250)
    pids = {"trainer": [trainer.process.pid], "writer": [trainer.writer]}
    trainer.end(
        *((pid, signal.SIGKILL) for pid in pids.get(victims) or [trainer.process.pid, trainer.writer])
    )
    run = open_run(trainer.path)
    assert run.status == ("finished" if victims == "writer" else "crashed")
    check_whole(run, 600 if victims == "writer" else trainer.acknowledged)

    if victims == "both":
        assert recover(trainer.path)
    wait_for(lambda: not (trainer.path / "journal").exists())
    run = open_run(trainer.path)
    check_whole(run, 600 if victims == "writer" else trainer.acknowledged)
    check_rich(run, len(run.series("acc").step))
    assert list(trainer.path.glob("*-wal")) + list(trainer.path.glob("*-journal")) == []


def test_a_live_run_that_came_with_a_write_ahead_log_is_recovered_where_none_may_be(
    far: Path, tmp_path: Path
) -> None:
    trainer = Trainer(tmp_path / "near", 10**9)
    wait_for(lambda: trainer.acknowledged > 200 and (trainer.path / "run.db-wal").exists())
    trainer.end((trainer.process.pid, signal.SIGKILL), (trainer.writer, signal.SIGKILL))
    assert (trainer.path / "run.db-wal").exists()
    subprocess.run(["cp", "-r", trainer.path, far / "copy"], check=True)
    assert recover(far / "copy")
    assert list((far / "copy").glob("run.db*")) == [far / "copy" / "run.db"]
    check_whole(open_run(far / "copy"), trainer.acknowledged)
