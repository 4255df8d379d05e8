"""Runs that are killed and continued, forked, and taken up by two at once; real processes and signals."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.errors import (
    InvalidStepError,
    RunExistsError,
    RunNotFoundError,
    SettingError,
)
from kohakuboard.reader import Run, open_run
from tests.reliability.processes import wait_for_writers

# Continues the run from a checkpoint, tells each step that was logged, and goes on until it is killed.
TRAINER = """
import os, sys, time
from kohakuboard import Board

root, attempt, start, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
board = Board(base_dir=root, run_id="one", at_step=start - 1, config={"attempt": attempt}, capture_output=False)
for step in range(start, end):
    board.log({"loss": attempt + step / 1000, "attempt": attempt}, step=step)
    if step % 10 == 0:
        board.log({"eval": -attempt - step / 1000}, step=step)
    os.write(1, b"%d\\n" % step)
    time.sleep(0.001)
board.finish()
"""


def train(root: Path, attempt: int, start: int, end: int, kill_at: int | None) -> int:
    """Run one attempt; return the last step that is known to be logged."""
    command = [sys.executable, "-c", TRAINER, *map(str, (root, attempt, start, end))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as trainer:
        assert trainer.stdout is not None
        last = -1
        for line in trainer.stdout:
            last = int(line)
            if last == kill_at:
                trainer.send_signal(signal.SIGKILL)
        assert trainer.wait() == (-signal.SIGKILL if kill_at is not None else 0)
    return last


@pytest.mark.slow
def test_five_kills_and_resumes_with_rewinds_are_one_run_with_an_exact_curve(tmp_path: Path) -> None:
    expected: dict[int, int] = {}
    start = 0
    for attempt, (kill_at, resume_at) in enumerate(
        [(300, 200), (420, 250), (900, 880), (1000, 100), (700, 650)], start=1
    ):
        last = train(tmp_path, attempt, start, 10_000, kill_at)
        expected = {step: a for step, a in expected.items() if step < start}
        expected |= dict.fromkeys(range(start, last + 1), attempt)
        start = resume_at
    assert train(tmp_path, 6, start, 1200, None) == 1199
    expected = {step: a for step, a in expected.items() if step < start} | dict.fromkeys(
        range(start, 1200), 6
    )

    [path] = (tmp_path / "default").iterdir()
    wait_for_writers(path)
    run = open_run(path)
    assert run.status == "finished"
    assert run.config == {"attempt": 6}
    series = run.series("loss")
    assert series.step.tolist() == list(range(1200))
    assert series.value.tolist() == [expected[step] + step / 1000 for step in range(1200)]
    assert len(set(series.seq.tolist())) == 1200
    check_summary_fits(run)
    statuses = [(attempt.number, attempt.status) for attempt in run.attempts]
    assert statuses == [
        (1, "crashed"),
        (2, "crashed"),
        (3, "crashed"),
        (4, "crashed"),
        (5, "crashed"),
        (6, "finished"),
    ]
    assert [attempt.at_step for attempt in run.attempts] == [-1, 199, 249, 879, 99, 649]
    second = run.series("loss", attempt=2)
    assert second.step.tolist() == list(range(200, second.step[-1] + 1))
    assert second.step[-1] >= 420


def check_summary_fits(run: Run) -> None:
    """What a list of runs shows is of the points that a curve shows."""
    for name, metric in run.metrics.items():
        series = run.series(name)
        assert metric.count == len(series.value), name
        assert (metric.last, metric.last_step) == (series.value[-1], series.step[-1]), name
        assert (metric.min, metric.max) == (series.value.min(), series.value.max()), name
    assert run.last_step == max(int(run.series(name).step.max()) for name in run.metrics)


def test_a_continued_run_goes_on_from_its_checkpoint_also_before_anything_is_stored(tmp_path: Path) -> None:
    with Board(base_dir=tmp_path, run_id="one", config={"lr": 1, "old": True}) as first:
        for step in range(10):
            first.log(loss=step, only_once=step)
        first.summary["best"] = 3
    assert open_run(first.path).metrics["loss"].max == 9
    with Board(base_dir=tmp_path, run_id="one", at_step=4, config={"lr": 2}) as second:
        assert second.path == first.path
        assert (second.config["lr"], second.config["old"], second.summary["best"]) == (2, True, 3)
        live = open_run(second.path)
        assert live.series("loss").step.tolist() == [0, 1, 2, 3, 4], (
            "what lies behind the checkpoint is superseded"
        )
        second.log(loss=0.5)
        assert second._next_step == 6
        live = open_run(second.path)
        assert live.series("loss").value.tolist() == [0, 1, 2, 3, 4, 0.5]
        check_summary_fits(live)
    run = open_run(first.path)
    assert run.series("loss").step.tolist() == [0, 1, 2, 3, 4, 5]
    assert run.series("only_once").step.tolist() == [0, 1, 2, 3, 4]
    assert run.series("loss", attempt=1).step.tolist() == list(range(10))
    assert run.config == {"lr": 2, "old": True}
    check_summary_fits(run)


def test_a_continued_run_without_a_checkpoint_counts_on(tmp_path: Path) -> None:
    for _ in range(3):
        in_another_process(tmp_path, "board.log(loss=1); board.log(loss=2)")
    run = open_run(tmp_path / "default" / "one")
    assert run.series("loss").step.tolist() == [0, 1, 2, 3, 4, 5]
    assert [attempt.number for attempt in run.attempts] == [1, 2, 3]
    check_summary_fits(run)


def in_another_process(root: Path, work: str, **options: object) -> None:
    program = f"""
import sys
from kohakuboard import Board, Histogram, Table
with Board(base_dir=sys.argv[1], run_id="one", **{options!r}) as board:
    {work}
"""
    subprocess.run([sys.executable, "-c", program, str(root)], check=True, capture_output=True, timeout=60)


def test_a_process_that_takes_up_again_what_it_finished_goes_on_with_its_attempt(tmp_path: Path) -> None:
    for _ in range(2):
        with Board(base_dir=tmp_path, run_id="one") as board:
            board.log(val=1, step=0)
            board.log(val=2, step=1)
    run = open_run(tmp_path / "default" / "one")
    assert run.series("val").step.tolist() == [0, 1, 0, 1]
    assert [attempt.number for attempt in run.attempts] == [1]
    check_summary_fits(run)


def test_a_process_may_begin_another_attempt_at_what_it_finished(tmp_path: Path) -> None:
    for values in ([1, 2, 3], [4, 5]):
        with Board(base_dir=tmp_path, run_id="one", new_attempt=True) as board:
            for step, value in enumerate(values):
                board.log(val=value, step=step)
            if values[0] == 1:
                board.log(other=0, step=9)
    run = open_run(tmp_path / "default" / "one")
    assert run.series("val").value.tolist() == [4, 5]
    assert run.series("val", attempt=1).value.tolist() == [1, 2, 3]
    assert run.series("other").step.tolist() == [9]  # what is not logged again is not superseded
    assert [attempt.number for attempt in run.attempts] == [1, 2]
    check_summary_fits(run)


def test_two_boards_of_one_process_on_one_run_share_it_and_the_first_ends_it(tmp_path: Path) -> None:
    with Board(base_dir=tmp_path, run_id="one", config={"a": 1}) as first:
        first.log(loss=1)
        with Board(base_dir=tmp_path, run_id="one", config={"b": 2}) as second:
            second.log(loss=2)
            assert second.config == {"a": 1, "b": 2}
        assert open_run(first.path).status == "running"
        with pytest.raises(RunExistsError):
            Board(base_dir=tmp_path, run_id="one", resume="never")
    run = open_run(first.path)
    assert run.status == "finished"
    assert run.config == {"a": 1, "b": 2}
    assert run.series("loss").value.tolist() == [1, 2]


def test_points_logged_again_without_a_checkpoint_take_the_place_of_the_earlier_ones(tmp_path: Path) -> None:
    for attempt in range(2):
        work = f"for step in range({2 * attempt}, 5): board.log(loss={10 * attempt} + step, step=step)"
        in_another_process(tmp_path, work)
    run = open_run(tmp_path / "default" / "one")
    assert run.series("loss").value.tolist() == [0, 1, 12, 13, 14]
    check_summary_fits(run)


def test_media_tables_and_histograms_of_a_superseded_step_are_not_shown(tmp_path: Path) -> None:
    for attempt in range(2):
        values = f'{{"h": Histogram([{attempt}, 9]), "t": Table([{{"a": {attempt}}}])}}'
        work = f"for step in range({attempt}, 3): board.log({values}, step=step)"
        in_another_process(tmp_path, work, at_step=0 if attempt else None)
    run = open_run(tmp_path / "default" / "one")
    assert run.histograms("h").step.tolist() == [0, 1, 2]
    assert run.histograms("h").edges[:, 0].tolist() == [0, 1, 1]
    assert [run.table("t", step).rows for step in range(3)] == [[[0]], [[1]], [[1]]]


def test_resume_must_wants_a_run_and_never_wants_none(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        Board(base_dir=tmp_path, run_id="one", resume="must")
    assert not list(tmp_path.iterdir()), "nothing is left of what was not begun"
    Board(base_dir=tmp_path, run_id="one", resume="never").finish()
    with pytest.raises(RunExistsError):
        Board(base_dir=tmp_path, run_id="one", resume="never")
    Board(base_dir=tmp_path, run_id="one", resume="must").finish()


@pytest.mark.parametrize(
    "wrong",
    [{"resume": "maybe"}, {"at_step": 0.5}, {"at_step": 2**63}, {"fork_from": "one"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_arguments_are_named(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        Board(base_dir=tmp_path, run_id="one", **wrong)  # type: ignore[arg-type]


def test_the_environment_names_run_and_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_RUN_ID", "from-outside")
    monkeypatch.setenv("KOHAKUBOARD_RESUME", "never")
    Board(base_dir=tmp_path).finish()
    with pytest.raises(RunExistsError):
        Board(base_dir=tmp_path)
    monkeypatch.setenv("KOHAKUBOARD_RESUME", "sometimes")
    with Board(base_dir=tmp_path) as board, caplog.at_level(logging.WARNING):
        assert board.id == "from-outside"
    assert "KOHAKUBOARD_RESUME" in caplog.text


def test_a_run_that_is_logged_to_is_not_continued_a_second_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Board(base_dir=tmp_path, run_id="one") as first:
        first.log(loss=1)
        program = (
            "import sys; from kohakuboard import Board\n"
            "from kohakuboard.errors import RunLiveError\n"
            "try: Board(base_dir=sys.argv[1], run_id='one', resume='must')\n"
            "except RunLiveError as exc: print(exc)\n"
            "board = Board(base_dir=sys.argv[1], run_id='one', resume='allow')\n"
            "board.log(loss=2); board.finish(); print(board.id)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
        )
        error, other = done.stdout.splitlines()
        assert f"is being logged to by process {os.getpid()} on" in error
        assert "this process logs to a new run" in done.stderr
    assert open_run(first.path).series("loss").value.tolist() == [1]
    assert open_run(first.path.with_name(other)).series("loss").value.tolist() == [2]


def test_of_many_that_begin_a_run_at_once_each_logs_to_one_of_its_own(tmp_path: Path) -> None:
    program = (
        "import sys; from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], run_id='one')\n"
        "board.log(who=float(sys.argv[2])); sys.stdin.read(1); board.finish()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), str(i)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for i in range(5)
    ]
    runs: list[Path] = []
    while len(runs) < 5:
        runs = [path.parent for path in tmp_path.glob("default/*/journal") if list(path.glob("*/*.kbj"))]
    for process in processes:
        process.communicate(b"x", timeout=60)
        assert process.returncode == 0
    assert sorted(open_run(path).series("who").value.tolist() for path in runs) == [[0], [1], [2], [3], [4]]
    assert (tmp_path / "default" / "one") in runs


def test_a_child_that_outlives_its_parent_does_not_keep_the_run_from_being_continued(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], run_id='one'); board.log(loss=1)\n"
        "if os.fork() == 0: time.sleep(20); os._exit(0)\n"
        "print('forked', flush=True); time.sleep(20)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    ) as trainer:
        assert trainer.stdout is not None
        trainer.stdout.readline()
        trainer.kill()
        trainer.wait()
        try:
            with Board(base_dir=tmp_path, run_id="one", resume="must") as board:
                board.log(loss=2)
        finally:
            os.killpg(trainer.pid, signal.SIGKILL)
    assert open_run(board.path).series("loss").step.tolist() == [0, 1]


def test_a_fork_begins_with_the_curve_of_its_parent_and_needs_it_no_more(tmp_path: Path) -> None:
    with Board(base_dir=tmp_path, run_id="parent") as parent:
        for step in range(10):
            parent.log(loss=step, epoch=step // 3)
            if step == 8:
                parent.log(late=1)
    with Board(base_dir=tmp_path, run_id="parent", at_step=5):
        pass
    with Board(base_dir=tmp_path, run_id="child", fork_from=("parent", 4)) as child:
        child.log(loss=-1)
        child.log(loss=-2)
    parent.path.rename(tmp_path / "gone")
    run = open_run(child.path)
    assert run.series("loss").step.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert run.series("loss").value.tolist() == [0, 1, 2, 3, 4, -1, -2]
    assert run.series("epoch").value.tolist() == [0, 0, 0, 1, 1]
    assert run.series("epoch").seq.tolist() == run.series("loss").seq[:5].tolist(), "logged in the same calls"
    assert "late" not in run.metrics
    assert [(attempt.number, attempt.status) for attempt in run.attempts] == [
        (0, "inherited"),
        (1, "finished"),
    ]
    assert run.forked_from == ("default/parent", 4)
    check_summary_fits(run)
    # The same command line again, as after a requeue: the parent is not asked for any more.
    (tmp_path / "gone").rename(parent.path)
    with Board(base_dir=tmp_path, run_id="child", fork_from=(parent.path, 4)) as again:
        again.log(loss=-3)
    assert open_run(again.path).series("loss").value.tolist() == [0, 1, 2, 3, 4, -1, -2, -3]


def test_a_board_that_could_not_be_made_keeps_nobody_from_its_run(tmp_path: Path) -> None:
    """Its lock stayed, and whoever tried again in that process got another run."""
    run = tmp_path / "default" / "one"
    run.mkdir(parents=True)
    (run / "journal").write_text("in the way")
    with pytest.raises(OSError, match="journal"):
        Board(base_dir=tmp_path, run_id="one")
    (run / "journal").unlink()
    with Board(base_dir=tmp_path, run_id="one") as board:
        assert board.path == run


def test_two_ranks_in_one_process_are_two_ranks(tmp_path: Path) -> None:
    """The second board joined the first, as its rank."""
    with Board(base_dir=tmp_path, run_id="one", rank=0) as first:
        first.log(loss=0)
        with Board(base_dir=tmp_path, run_id="one", rank=1) as second:
            second.log(loss=1)
    run = open_run(first.path)
    assert [run.series("loss", rank=rank).value.tolist() for rank in (0, 1)] == [[0], [1]]
    with pytest.raises(SettingError, match="rank"):
        Board(base_dir=tmp_path, run_id="one", rank=-1)


def test_a_fork_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        Board(base_dir=tmp_path, fork_from=("nobody", 4))
    Board(base_dir=tmp_path, run_id="parent").finish()
    with pytest.raises(InvalidStepError):
        Board(base_dir=tmp_path, fork_from=("parent", "four"))  # type: ignore[arg-type]
