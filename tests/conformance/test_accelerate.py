"""The tracker starts late, honours steps, and is one run of many processes. Real Accelerators."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.state import AcceleratorState, PartialState  # type: ignore[import-untyped]
from PIL import Image

from kohakuboard import Board
from kohakuboard.accelerate import KohakuBoardTracker
from kohakuboard.reader import Run
from kohakuboard.transformers import KohakuBoardCallback
from tests.conformance.tiny import tiny_trainer

ReadRun = Callable[[], Run]


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def steps(run: Run, metric: str) -> list[int]:
    return [int(step) for step in run.series(metric).step]


def test_r26_an_accelerator_logs_to_one_run(only_run: ReadRun) -> None:
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


def test_r01_the_constructor_has_no_effect(surroundings: Callable[[], object]) -> None:
    before = surroundings()
    KohakuBoardTracker("mine", config={"a": 1})
    assert surroundings() == before
    assert PartialState._shared_state == {}


def test_r67_finishing_needs_no_start_and_may_come_twice(only_run: ReadRun) -> None:
    KohakuBoardTracker("mine").finish()
    tracker = KohakuBoardTracker("mine")
    tracker.start()
    tracker.start()
    tracker.log({"a": 1.0})
    tracker.finish()
    tracker.finish()
    assert only_run().status == "finished"


def test_r06_what_is_logged_after_finish_belongs_to_the_same_run(only_run: ReadRun) -> None:
    tracker = KohakuBoardTracker("mine", config={"lr": 1})
    for step in range(2):
        tracker.log({"a": 1.0}, step=step)
        tracker.finish()
    assert steps(only_run(), "a") == [0, 1]
    assert only_run().config == {"lr": 1}


def test_r66_the_unwrapped_tracker_is_the_board(only_run: ReadRun) -> None:
    accelerator = Accelerator(cpu=True, log_with=[KohakuBoardTracker("mine")])
    accelerator.init_trackers("unused")
    board: Any = accelerator.get_tracker("kohakuboard", unwrap=True)
    board.log(direct=1.0)
    accelerator.end_training()
    assert board.closed
    assert steps(only_run(), "direct") == [0]


@pytest.mark.slow
def test_r02_two_processes_make_one_run(
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


@pytest.fixture
def _known_by_name() -> None:
    """Let log_with know the name, also in a checkout that is not installed."""
    import accelerate.tracking  # type: ignore[import-untyped]

    from kohakuboard_accelerate.registration import register

    register(accelerate.tracking)


@pytest.mark.usefixtures("_known_by_name")
def test_r65_the_name_is_enough_and_init_kwargs_reach_the_run(only_run: ReadRun) -> None:
    accelerator = Accelerator(cpu=True, log_with="kohakuboard")
    kwargs = {"kohakuboard": {"name": "by-name", "tags": ["a"], "group": "g"}}
    accelerator.init_trackers("my/project", config={"lr": 0.1}, init_kwargs=kwargs)
    accelerator.log({"loss": 1.0}, step=1)
    accelerator.end_training()
    run = only_run()
    assert (run.project, run.name, run.tags, run.group) == ("my/project", "by-name", ["a"], "g")
    assert (run.config, run.status) == ({"lr": 0.1}, "finished")


@pytest.mark.usefixtures("_known_by_name")
def test_r65_trackers_that_are_initialised_twice_are_one_run(only_run: ReadRun) -> None:
    accelerator = Accelerator(cpu=True, log_with=[KohakuBoardTracker("mine")])
    for lr in (0.1, 0.2):
        accelerator.init_trackers("unused", config={"lr": lr})
    accelerator.log({"loss": 1.0}, step=0)
    accelerator.end_training()
    assert only_run().config == {"lr": 0.2}


def test_r07_a_board_that_is_open_is_used_and_left_open(only_run: ReadRun) -> None:
    board = Board("mine", project="own")
    tracker = KohakuBoardTracker("other")
    tracker.log({"a": 1.0}, step=0)
    tracker.finish()
    assert not board.closed
    board.finish()
    assert (only_run().name, steps(only_run(), "a")) == ("mine", [0])


def test_r07_a_tracker_and_a_callback_of_transformers_share_a_run(tmp_path: Path, only_run: ReadRun) -> None:
    tracker = KohakuBoardTracker("mine")
    tracker.log({"a": 1.0}, step=0)
    tiny_trainer(tmp_path, KohakuBoardCallback()).train()
    tracker.log({"b": 1.0}, step=9)
    tracker.finish()
    assert {"a", "train/loss", "b"} <= set(only_run().metrics)


def test_r12_a_run_that_is_named_is_continued(only_run: ReadRun) -> None:
    for at_step, range_ in ((None, range(4)), (1, range(2, 5))):
        tracker = KohakuBoardTracker("mine", run_id="one", at_step=at_step)
        for step in range_:
            tracker.log({"a": float(step)}, step=step)
        tracker.finish()
    assert steps(only_run(), "a") == [0, 1, 2, 3, 4]
    assert len(only_run().attempts) == 2


def test_r28_values_of_any_kind_are_taken_or_refused_by_name(
    only_run: ReadRun, caplog: pytest.LogCaptureFixture
) -> None:
    values = {
        "float": 0.5, "int": 3, "bool": True, "nan": math.nan, "none": None, "tensor": torch.tensor(2.0),
        "bf16": torch.tensor(1.5, dtype=torch.bfloat16), "numpy": np.float32(1.0), "dict": {"a": 1.0},
        "object": object(),
    }  # fmt: skip
    tracker = KohakuBoardTracker("mine")
    given = dict(values)
    for _ in range(2):
        tracker.log(values)
    tracker.finish()
    assert values == given  # R32
    metrics = only_run().metrics
    assert {"float", "int", "bool", "nan", "tensor", "bf16", "numpy"} <= set(metrics)
    assert caplog.text.count("'object' of type") == 1


@pytest.mark.parametrize(
    ("images", "sizes"),
    [
        (np.zeros((2, 8, 6, 3), np.uint8), [(6, 8)] * 2),
        (np.zeros((8, 6, 3), np.uint8), [(6, 8)]),
        (np.zeros((2, 8, 6), np.uint8), [(6, 8)] * 2),
        (np.zeros((8, 6), np.uint8), [(6, 8)]),
        (torch.zeros(2, 3, 8, 6), [(6, 8)] * 2),
        ([Image.new("RGB", (6, 8)), Image.new("L", (6, 8))], [(6, 8)] * 2),
    ],
    ids=["nhwc", "hwc", "nhw", "hw", "nchw", "pillow"],
)
def test_r66_images_of_any_usual_shape_are_logged(only_run: ReadRun, images: Any, sizes: Any) -> None:
    tracker = KohakuBoardTracker("mine")
    tracker.log_images({"seen": images}, step=3)
    tracker.finish()
    found = only_run().media("seen")
    assert [(entry.width, entry.height) for entry in found] == sizes
    assert {entry.step for entry in found} == {3}


@pytest.mark.parametrize(
    "given",
    [
        {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]},
        {"data": [["a", "b"], [1, "x"], [2, "y"]]},
        {"dataframe": pa.table({"a": [1, 2], "b": ["x", "y"]})},
    ],
    ids=["columns", "header", "frame"],
)
def test_r66_tables_in_all_three_forms_are_logged(only_run: ReadRun, given: dict[str, Any]) -> None:
    tracker = KohakuBoardTracker("mine")
    tracker.log_table("t", step=2, **given)
    tracker.finish()
    table = only_run().table("t", 2)
    assert (table.columns, [list(row) for row in table.rows]) == (["a", "b"], [[1, "x"], [2, "y"]])


@pytest.mark.usefixtures("_known_by_name")
def test_r67_without_end_training_all_is_there(
    start_job: Callable[..., subprocess.Popen[str]], only_run: ReadRun
) -> None:
    printed, _ = start_job("accelerate_by_name_job.py").communicate(timeout=100)
    run = only_run()
    assert (run.status, steps(run, "loss")) == ("finished", [0, 1, 2]), printed
