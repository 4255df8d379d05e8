"""The disk fills up, turns read-only, or has a quota, under a training that logs; each for real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kohakuboard.reader import Run, open_run

from .mounts import ext4, mounted, tmpfs
from .trainers import Training, train

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts are made the Linux way")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of 12 MiB."""
    with tmpfs(tmp_path / "small", 12 << 20) as mount:
        yield mount


def dropped(run: Run) -> int:
    """Return how many calls the run says were dropped."""
    return sum(int(text.split(" call")[0]) for text in run.problems if " call" in text)


def assert_exact(run: Run, training: Training) -> None:
    """Each call is in the run, in order and once, or counted as dropped."""
    series = run.series("a")
    steps = series.step.tolist()
    assert steps == sorted(set(steps))
    assert series.value.tolist() == [float(step) for step in steps]
    assert len(steps) + dropped(run) == training.report["logged"]


def test_a_disk_that_fills_up_and_is_freed_costs_only_what_is_counted(small: Path) -> None:
    training = train(
        small,
        """
burst(1000)
fill()
burst(60_000)
board.config["changed"] = "while it was full"
filler.unlink()
time.sleep(1.1)  # as long as the journal waits before it asks again
burst(1000)
board.finish()
report()
""",
    )
    run = open_run(training.path)
    assert_exact(run, training)
    assert run.series("a").step[-1] == 61_999
    assert 0 < dropped(run) < 60_000
    assert run.config == {"changed": "while it was full"}
    assert run.status == "finished"
    assert not (run.path / "journal").exists()
    began, over, summed_up = training.warnings
    assert "cannot grow ([Errno 28] No space left on device); calls are dropped" in began
    assert f"grows again; {run.problems[0]}" in over
    assert f"{dropped(run)} calls of" in summed_up


def test_large_values_that_do_not_fit_are_dropped_and_counted_while_scalars_are_logged(small: Path) -> None:
    """They were refused as if something was wrong with them: once, and without a count."""
    training = train(
        small,
        """
import numpy as np
pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
def pictures(n):
    global logged
    for _ in range(n):
        board.log({"a": float(logged), "picture": Media(pixels)}, step=logged)
        logged += 1
pictures(3)
fill()
pictures(20)
assert not list(board.path.glob("journal/*/*.staged"))[3:]
filler.unlink()
time.sleep(1.1)
pictures(4)
board.finish()
report()
""",
    )
    run = open_run(training.path)
    assert run.series("a").step.tolist() == list(range(27))
    assert [entry.step for entry in run.media("picture")] == [0, 1, 2, 23, 24, 25, 26]
    assert all(len(entry.read()) > 100_000 for entry in run.media())
    (problem,) = run.problems
    assert problem.startswith("20 large values dropped between steps 3 and 22:")
    assert "large values" in training.warnings[0]


def test_after_finish_on_a_full_disk_everything_is_in_the_journal_and_is_recovered_later(small: Path) -> None:
    """The end of a run for which there was no room made it a crashed one."""
    training = train(
        small,
        """
until((board.path / "run.db").exists)
fill()
burst(60_000)
board.summary["best"] = 1
start = time.monotonic()
board.finish(error="x" * 50_000, status="failed", timeout_s=60)
report(finish_s=time.monotonic() - start)
""",
    )
    assert training.report["finish_s"] < 30
    assert "`kobo recover` stores it later" in training.warnings[-1]
    recover = [sys.executable, "-m", "kohakuboard", "recover", str(small)]
    for said in ("recovered", "nothing to recover"):
        run = open_run(training.path)
        assert (run.status, run.summary["best"]) == ("failed", 1)
        assert (run.error or "").startswith("x")
        assert_exact(run, training)
        (small / "filler").unlink(missing_ok=True)
        assert said in subprocess.run(recover, capture_output=True, text=True, check=True).stdout
    assert not (training.path / "journal").exists()


def test_a_writer_on_a_full_disk_says_so_once_lives_on_and_stores_all_when_there_is_room(
    tmp_path: Path,
) -> None:
    """It ended at the first flush that failed, and the next one did, again and again."""
    with tmpfs(tmp_path / "disk", 24 << 20) as disk:
        training = train(
            disk,
            """
writer = board._supervisor.writer_pid
until((board.path / "run.db").exists)
burst(60_000)  # nearly as much as makes the writer flush
fill()
burst(25_000)
until(lambda: "held in the journal" in (board.path / "writer.log").read_text())
time.sleep(3.5)
filler.unlink()
until(lambda: stored() == logged)
assert board._supervisor.writer_pid == writer
board.finish()
report()
""",
        )
        run = open_run(training.path)
        assert run.series("a").step.tolist() == list(range(85_000))
        assert run.metrics["a"].count == 85_000
        assert (run.problems, training.warnings) == ([], [])
        said = (run.path / "writer.log").read_text()
        assert said.count("held in the journal") == 1
        assert said.count("stored again") == 1


def test_console_log_says_what_a_full_disk_did_not_take(small: Path) -> None:
    """The copy ended at the first print for which there was no room."""
    program = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kohakuboard.client.console import ConsoleCapture
terminal = sys.stdout
root = Path(sys.argv[1])
capture = ConsoleCapture(root / "console.log")
print("before")
with open(root / "filler", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
for i in range(1000):
    print(f"{i:9d}")
(root / "filler").unlink()
print("after")
capture.stop()
"""
    source = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program, str(small), source], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1002
    before, *lines = (small / "console.log").read_bytes().splitlines()
    assert before[30:] == b"before"
    note = next(i for i, line in enumerate(lines) if line[28:29] == b"#")
    kept = [line[30:] for line in lines[:note] if len(line) == 39]
    assert [int(number) for number in kept] == list(range(len(kept)))
    missing = int(lines[note][30:].split()[0])
    # A line is 40 bytes; the last of those that were kept may be torn.
    assert sum(len(line) + 1 for line in lines[:note]) - (len(lines[:note]) > len(kept)) + missing == 40_000
    assert [line[30:] for line in lines[note + 1 :]] == [b"after"]


FULL = """
fill()
burst(90_000)
filler.unlink()
time.sleep(1.1)
burst(1000)
board.finish()
report()
"""


@pytest.mark.parametrize("kind", ["tmpfs", pytest.param("ext4", marks=pytest.mark.long)])
def test_no_write_to_a_segment_ends_training_on_a_full_disk(tmp_path: Path, kind: str) -> None:
    """Its blocks are its own: the segment is written to its end while nothing else can be."""
    with ExitStack() as stack:
        if kind == "tmpfs":
            disk = stack.enter_context(tmpfs(tmp_path / "disk", 32 << 20))
        else:
            disk = stack.enter_context(ext4(tmp_path / "disk", tmp_path / "image", 32 << 20))
        training = train(disk, "burst(20_000)\n" + FULL)  # into the second segment, of which most is to come
        run = open_run(training.path)
        assert_exact(run, training)
        assert len(run.series("a").step) > 80_000


def test_a_quota_is_a_full_disk(tmp_path: Path) -> None:
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("there is no mkfs.btrfs here (Debian: apt-get install btrfs-progs)")
    image = tmp_path / "image"
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "-q", "-M", image], check=True)
    with mounted(tmp_path / "disk", "mount", "-o", "loop", image) as mount:
        commands: tuple[list[str | Path], ...] = (
            ["subvolume", "create", mount / "mine"],
            ["quota", "enable", mount],
            ["qgroup", "limit", "12M", mount / "mine"],
        )
        for command in commands:
            subprocess.run(["btrfs", *command], check=True, capture_output=True)
        training = train(
            mount / "mine",
            """
until((board.path / "run.db").exists)
writer = board._supervisor.writer_pid
os.kill(writer, signal.SIGSTOP)  # else it stores as fast as this logs
burst(300_000)
os.kill(writer, signal.SIGCONT)
import subprocess
subprocess.run(["btrfs", "qgroup", "limit", "none", root], check=True, capture_output=True)
time.sleep(1.1)
burst(1000)
board.finish()
report()
""",
        )
        run = open_run(training.path)
        assert_exact(run, training)
        assert dropped(run) > 0
        assert "Disk quota exceeded" in training.warnings[0]
        assert run.series("a").step[-1] == training.report["logged"] - 1


def test_a_directory_that_cannot_be_written_to_for_a_while_costs_only_what_is_counted(tmp_path: Path) -> None:
    with ext4(tmp_path / "disk", tmp_path / "image", 64 << 20) as disk:
        training = train(
            disk,
            """
import subprocess
def immutable(sign):
    for path in (board.path, *board.path.glob("journal/*")):
        subprocess.run(["chattr", f"{sign}i", path], check=True)
burst(1000)
immutable("+")
burst(30_000)
immutable("-")
time.sleep(1.1)
burst(1000)
board.finish()
report()
""",
        )
        run = open_run(training.path)
        assert_exact(run, training)
        assert dropped(run) > 0
        assert "cannot grow ([Errno 1] Operation not permitted)" in training.warnings[0]
        assert run.series("a").step[-1] == 31_999


@pytest.mark.long
def test_a_disk_that_turns_read_only_ends_no_training_and_what_was_logged_is_read_from_it(
    tmp_path: Path,
) -> None:
    """What a kernel does after an error of the disk. By hand nobody can while a journal is mapped: mount says busy."""
    with ext4(tmp_path / "disk", tmp_path / "image", 64 << 20) as disk:
        training = train(
            disk,
            """
import subprocess
until((board.path / "run.db").exists)
burst(1000)
by_hand = subprocess.run(["mount", "-o", "remount,ro", root], capture_output=True, text=True)
assert "busy" in by_hand.stderr, by_hand.stderr
subprocess.run(["mount", "-o", "remount,abort", root], check=True)
burst(40_000)
start = time.monotonic()
board.finish(timeout_s=60)
report(finish_s=time.monotonic() - start)
""",
        )
        assert training.report["finish_s"] < 30
        run = open_run(training.path)
        assert run.status == "finished", run.error
        assert_exact(run, training)
        assert dropped(run) > 0
        assert "Read-only file system" in training.warnings[0]
        assert "`kobo recover` stores it later" in training.warnings[-1]
