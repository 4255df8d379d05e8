"""No file handles, no memory, no run directory: what training and its writer do without them; each for real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kohakuboard.reader import open_run

from .trainers import train

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and deletions are made the Linux way")


def test_without_file_handles_calls_are_counted_and_a_writer_that_died_comes_back(tmp_path: Path) -> None:
    """Neither a segment nor a writer can be had while the program has no handle left, and it warned at each try."""
    training = train(
        tmp_path,
        """
import resource
until((board.path / "run.db").exists)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
burst(1000)
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
first = board._supervisor.writer_pid
os.kill(first, signal.SIGKILL)
burst(40_000)
until(lambda: board._supervisor._warned)
for fd in taken:
    os.close(fd)
until(lambda: board._supervisor.writer_pid not in (None, first))
time.sleep(1.1)
burst(1000)
board.finish()
report()
""",
    )
    run = open_run(training.path)
    steps = run.series("a").step.tolist()
    (problem,) = run.problems
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, 41_999)
    assert f"{42_000 - len(steps)} calls dropped" in problem
    assert "Too many open files" in problem
    assert run.status == "finished"
    told = "\n".join(training.warnings)
    assert told.count("cannot grow") == 1
    assert told.count("is not at work (it cannot be started: [Errno 24]") == 1


def test_a_writer_without_memory_costs_a_warning_and_the_run_is_stored_whole_when_there_is_some(
    tmp_path: Path,
) -> None:
    training = train(
        tmp_path,
        """
burst(3000)
until(lambda: board._supervisor.writer_pid is None or board._supervisor._warned)
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
burst(3000)
until(lambda: stored() > 0)
board.finish()
report()
""",
        before="""
import resource
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (150 << 20, hard))
""",
    )
    run = open_run(training.path)
    assert run.series("a").step.tolist() == list(range(6000))
    assert (run.status, run.problems) == ("finished", [])
    (warning,) = training.warnings
    assert "is not at work (it keeps ending" in warning
    assert "everything logged is safe in the journal" in warning


def test_a_run_directory_that_is_deleted_is_made_again_and_logging_goes_on(tmp_path: Path) -> None:
    """Everything logged afterwards went into files that had no name any more."""
    training = train(
        tmp_path,
        """
board.config["lr"] = 0.1
board.summary["best"] = 1
until((board.path / "run.db").exists)
burst(10_000)
time.sleep(0.2)
while board.path.exists():
    shutil.rmtree(board.path, ignore_errors=True)
burst(1000)
until(lambda: any(board.path.glob("journal/*/*.kbj")))
burst(30_000)
board.add_tags("late")
until(lambda: stored() > 0)
board.finish()
report()
""",
        board=", config={'seed': 1}, name='again'",
    )
    run = open_run(training.path)
    steps = run.series("a").step.tolist()
    assert steps[-1] == 40_999
    assert steps == list(range(steps[0], 41_000))
    assert len(steps) >= 30_000
    assert (run.status, run.name, run.tags) == ("finished", "again", ["late"])
    assert run.config == {"seed": 1, "lr": 0.1}
    assert run.summary["best"] == 1
    (problem,) = run.problems
    assert "are missing" in problem
    (warning,) = training.warnings
    assert "was deleted; it is made again, and logging goes on there" in warning


@pytest.mark.long
def test_a_run_directory_that_is_deleted_at_the_end_keeps_nobody_waiting(tmp_path: Path) -> None:
    training = train(
        tmp_path,
        """
until((board.path / "run.db").exists)
burst(1000)
while board.path.exists():  # the writer may put a file there meanwhile
    shutil.rmtree(board.path, ignore_errors=True)
start = time.monotonic()
board.finish(timeout_s=60)
report(finish_s=time.monotonic() - start)
""",
    )
    assert training.report["finish_s"] < 30
    assert open_run(training.path).status == "finished"
