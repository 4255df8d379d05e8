"""More of what is asked of the callback for transformers: its surroundings, and what users hand it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback, TrainingArguments

import kohakuboard  # noqa: F401  (makes the name known, also in a checkout that is not installed)
from kohakuboard.client import open_boards
from kohakuboard.errors import RunNotFoundError
from kohakuboard.reader import Run, Workspace
from kohakuboard.transformers import KohakuBoardCallback
from tests.conformance.tiny import points, tiny_model, tiny_trainer

ReadRun = Callable[[], Run]

SAVING: dict[str, Any] = {
    "report_to": "kohakuboard",
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
}


def test_r06_an_evaluation_after_the_end_opens_the_run_again(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.train()
    assert only_run().status == "finished"
    job.evaluate()
    assert only_run().status == "running"
    (board,) = open_boards()
    board.finish()
    assert [step for step, _ in points(only_run(), "eval/loss")] == [2, 4, 4]
    assert (only_run().status, len(only_run().attempts)) == ("finished", 1)


@contextmanager
def somebody_who_logs_to(run: Run) -> Iterator[None]:
    """Have the run open in another process."""
    source = f"""
import sys
from kohakuboard import Board
board = Board(project={run.project!r}, run_id={run.id!r})
print("open", flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        yield


def test_r14_a_run_that_somebody_logs_to_is_not_continued(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_trainer(tmp_path, max_steps=2, **SAVING).train()
    (first,) = Workspace(root).runs()
    with somebody_who_logs_to(first):
        tiny_trainer(tmp_path, max_steps=4, **SAVING).train(
            resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2")
        )
    second, first = Workspace(root).runs()
    assert [[step for step, _ in points(run, "train/loss")] for run in (first, second)] == [[1, 2], [3, 4]]
    assert first.id in caplog.text


def test_r14_must_means_that_the_run_has_to_be_there(
    tmp_path: Path, only_run: ReadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_trainer(tmp_path, max_steps=2, **SAVING).train()
    monkeypatch.setenv("KOHAKUBOARD_RESUME", "must")
    checkpoint = str(tmp_path / "out" / "checkpoint-2")
    tiny_trainer(tmp_path, max_steps=3, **SAVING).train(resume_from_checkpoint=checkpoint)
    assert [step for step, _ in points(only_run(), "train/loss")] == [1, 2, 3]
    shutil.rmtree(only_run().path)
    with pytest.raises(RunNotFoundError):
        tiny_trainer(tmp_path, max_steps=4, **SAVING).train(resume_from_checkpoint=checkpoint)


def test_r21_training_goes_on_when_the_run_disappears(tmp_path: Path, root: Path) -> None:
    class Deleting(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 2:
                shutil.rmtree(root)

    job = tiny_trainer(tmp_path, Deleting(), report_to="kohakuboard", logging_steps=1)
    job.train()
    assert job.state.global_step == 4


def test_r23_r27_the_epoch_is_a_metric_and_no_axis_is_bent_by_it(tmp_path: Path, only_run: ReadRun) -> None:
    tiny_trainer(tmp_path, report_to="kohakuboard", logging_steps=1).train()
    assert set(points(only_run(), "train/epoch")) == {(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)}
    assert only_run().metrics["train/epoch"].last == 1.0


def test_r22_r25_steps_of_any_order_are_taken(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(tmp_path)
    callback = KohakuBoardCallback()
    for step in (5, 3, 3, 10**12, 7):
        job.state.global_step = step
        callback.on_log(job.args, job.state, job.control, logs={"loss": float(step)})
    callback.on_train_end(job.args, job.state, job.control)
    assert sorted(points(only_run(), "train/loss")) == [(step, float(step)) for step in (3, 3, 5, 7, 10**12)]


def test_r30_r31_a_tensor_is_logged_as_it_was_and_many_values_are_refused_by_name(
    tmp_path: Path, only_run: ReadRun, caplog: pytest.LogCaptureFixture
) -> None:
    job = tiny_trainer(tmp_path)
    callback, loss = KohakuBoardCallback(), torch.tensor(1.0)
    for _ in range(2):
        callback.on_log(job.args, job.state, job.control, logs={"loss": loss, "many": torch.randn(8)})
        loss += 1
    callback.on_train_end(job.args, job.state, job.control)
    assert [value for _, value in points(only_run(), "train/loss")] == [1.0, 2.0]
    assert caplog.text.count("'train/many'") == 1


def test_r36_r37_the_config_takes_any_shape_and_is_the_same_after_each_phase(
    tmp_path: Path, only_run: ReadRun
) -> None:
    def loss() -> None:
        raise AssertionError("a callable is not called")

    odd: dict[Any, Any] = {
        123: 1, 3.5: "b", 5j: None, "path": Path("a"), "class": torch.nn.BatchNorm1d, "loss": loss,
        "tensor": torch.ones(3), "nested": {"a": {"b": (1, 2)}}, "long": "x" * 100_000,
        "many": {str(i): i for i in range(10_000)},
    }  # fmt: skip
    job = tiny_trainer(tmp_path, KohakuBoardCallback(config=odd))
    job.train()
    config = only_run().config
    job.evaluate()
    job.predict(job.eval_dataset)  # type: ignore[arg-type]
    (board,) = open_boards()
    board.finish()
    assert only_run().config == config
    assert {"123", "3.5", "5j", "class", "loss", "tensor", "learning_rate"} <= set(config)
    assert (config["path"], config["nested"]) == ("a", {"a": {"b": [1, 2]}})
    assert (len(config["many"]), config["long"][:3]) == (10_000, "xxx")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT 0.21 asks for what transformers 5.23 has renamed
def test_r39_the_config_holds_the_adapters_of_peft(tmp_path: Path, only_run: ReadRun) -> None:
    peft = pytest.importorskip("peft")
    small = peft.LoraConfig(r=2, target_modules=["c_attn"], task_type="CAUSAL_LM", fan_in_fan_out=True)
    tiny_trainer(tmp_path, model=peft.get_peft_model(tiny_model(), small), report_to="kohakuboard").train()
    config = only_run().config
    assert (config["peft"]["default"]["r"], config["peft"]["default"]["target_modules"]) == (2, ["c_attn"])
    assert config["model"]["n_embd"] == 8
    assert 0 < config["trainable_parameters"] < config["model_parameters"]


@pytest.mark.parametrize("name", ["", "a/b", "é:*?", "..", "CON", "x" * 300])
def test_r40_any_name_makes_a_run_inside_of_the_root(tmp_path: Path, root: Path, name: str) -> None:
    callbacks: list[KohakuBoardCallback] = []
    named: dict[str, Any] = {"report_to": "kohakuboard", "project": name}
    if "project" not in TrainingArguments.__dataclass_fields__:  # before transformers 4.57
        callbacks, named = [KohakuBoardCallback(project=name)], {}
    tiny_trainer(tmp_path, *callbacks, run_name=name, max_steps=1, **named).train()
    (run,) = Workspace(root).runs()
    assert run.path.parent.parent == root
    assert not name or (run.name, run.project) == (name, name)


def test_r19_r55_no_thread_variable_or_handler_is_left(tmp_path: Path, root: Path) -> None:
    def look() -> tuple[object, ...]:
        handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        ours = {thread for thread in threading.enumerate() if "kohakuboard" in thread.name}
        return ours, dict(os.environ), handlers, sys.excepthook, sys.stdout, sys.stderr

    quiet = tiny_trainer(tmp_path)  # torch and transformers set variables of their own at the first training
    quiet.train()
    before = look()
    tiny_trainer(tmp_path, report_to="kohakuboard").train()
    assert look() == before


def test_a_training_that_goes_well_warns_of_nothing(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="kohakuboard"):
        tiny_trainer(tmp_path, report_to="kohakuboard").train()
    assert [record for record in caplog.records if record.name.startswith("kohakuboard")] == []
