"""The tracker starts late, honours steps, and is one run of many processes. Real Accelerators."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.state import AcceleratorState, PartialState  # type: ignore[import-untyped]

from kohakuboard.accelerate import KohakuBoardTracker
from kohakuboard.reader import Run

ReadRun = Callable[[], Run]


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def steps(run: Run, metric: str) -> list[int]:
    return [int(step) for step in run.series(metric).step]


def test_an_accelerator_logs_to_one_run(only_run: ReadRun) -> None:
    accelerator = Accelerator(cpu=True, log_with=[KohakuBoardTracker("mine", name="first", tags=["a"])])
    config = {"lr": 0.1, "model": object, "none": None}
    accelerator.init_trackers("unused", config=config)
    accelerator.log({"loss": 1.0}, step=7)
    accelerator.log({"loss": 0.5}, step=3, log_kwargs={"kohakuboard": {"commit": False}})
    accelerator.log({"loss": 0.25})
    accelerator.end_training()
    run = only_run()
    assert (run.project, run.name, run.tags, run.status) == ("mine", "first", ["a"], "finished")
    assert steps(run, "loss") == [7, 3, 8]
    assert (run.config["lr"], run.config["none"]) == (0.1, None)
    assert config == {"lr": 0.1, "model": object, "none": None}


def test_the_constructor_has_no_effect(surroundings: Callable[[], object]) -> None:
    before = surroundings()
    KohakuBoardTracker("mine", config={"a": 1})
    assert surroundings() == before
    assert PartialState._shared_state == {}


def test_finishing_needs_no_start_and_may_come_twice(only_run: ReadRun) -> None:
    KohakuBoardTracker("mine").finish()
    tracker = KohakuBoardTracker("mine")
    tracker.start()
    tracker.start()
    tracker.log({"a": 1.0})
    tracker.finish()
    tracker.finish()
    assert only_run().status == "finished"


def test_what_is_logged_after_finish_belongs_to_the_same_run(only_run: ReadRun) -> None:
    tracker = KohakuBoardTracker("mine", config={"lr": 1})
    for step in range(2):
        tracker.log({"a": 1.0}, step=step)
        tracker.finish()
    assert steps(only_run(), "a") == [0, 1]
    assert only_run().config == {"lr": 1}


def test_the_unwrapped_tracker_is_the_board(only_run: ReadRun) -> None:
    accelerator = Accelerator(cpu=True, log_with=[KohakuBoardTracker("mine")])
    accelerator.init_trackers("unused")
    board: Any = accelerator.get_tracker("kohakuboard", unwrap=True)
    board.log(direct=1.0)
    accelerator.end_training()
    assert board.closed
    assert steps(only_run(), "direct") == [0]


@pytest.mark.slow
def test_two_processes_make_one_run(
    start_job: Callable[..., subprocess.Popen[str]], only_run: ReadRun
) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    job = start_job("accelerate_job.py", launcher=launcher)
    printed, _ = job.communicate(timeout=100)
    assert job.returncode == 0, printed
    run = only_run()
    assert run.config == {"processes": 2}
    assert steps(run, "loss") == list(range(5))
    assert steps(run, "direct") == [5]
    assert run.status == "finished"
