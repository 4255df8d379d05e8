"""Training, evaluations and predictions are one run on the trainer's steps. Real Trainers, a tiny model."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from kohakuboard.reader import Run, Workspace
from kohakuboard.transformers import KohakuBoardCallback

ReadRun = Callable[[], Run]
SHAPE = GPT2Config(
    vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
)
SUMMARY = {"train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second"}


def sentences(count: int) -> list[dict[str, torch.Tensor]]:
    tokens = torch.randint(0, 16, (count, 6), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in tokens]


def trainer(directory: Path, *callbacks: Any, model: Any = None, **options: Any) -> Trainer:
    settings: dict[str, Any] = {
        "max_steps": 4,
        "per_device_train_batch_size": 2,
        "logging_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return Trainer(
        model=model if model is not None else GPT2LMHeadModel(SHAPE),
        args=TrainingArguments(output_dir=str(directory / "out"), **{**settings, **options}),
        train_dataset=sentences(8),
        eval_dataset=sentences(4),
        callbacks=[*callbacks],
    )


def points(run: Run, metric: str) -> list[tuple[int, float]]:
    series = run.series(metric)
    return [(int(step), float(value)) for step, value in zip(series.step, series.value, strict=True)]


def test_train_evaluate_and_predict_are_one_run(tmp_path: Path, only_run: ReadRun) -> None:
    callback = KohakuBoardCallback(tags=["tiny"])
    job = trainer(tmp_path, callback)
    job.train()
    assert only_run().status == "finished"
    evaluated = job.evaluate()
    predicted = job.predict(sentences(4)).metrics or {}  # type: ignore[arg-type]
    run = only_run()
    history = job.state.log_history
    assert points(run, "train/loss") == [(log["step"], log["loss"]) for log in history if "loss" in log]
    assert [step for step, _ in points(run, "eval/loss")] == [2, 4, 4]
    assert points(run, "eval/loss")[-1] == (4, evaluated["eval_loss"])
    assert points(run, "test/loss") == [(4, predicted["test_loss"])]
    assert run.project == "huggingface"
    assert run.tags == ["tiny"]
    assert callback.board is not None
    callback.board.finish()


def test_the_last_figures_go_to_the_summary(tmp_path: Path, only_run: ReadRun) -> None:
    job = trainer(tmp_path, KohakuBoardCallback(), include_num_input_tokens_seen=True)
    result = job.train().metrics
    run = only_run()
    assert run.summary["total_flos"] > 0
    assert {name: run.summary[name] for name in SUMMARY} == {name: result[name] for name in SUMMARY}
    assert "train/train_loss" not in run.metrics
    # In the log of each step too, but for transformers 4.45.
    told = [
        log["step"] for log in job.state.log_history if "train_runtime" in log and "train_loss" not in log
    ]
    assert told in ([2, 4], [])
    if told:
        assert [step for step, _ in points(run, "train/train_runtime")] == told


def test_the_config_holds_arguments_and_model(tmp_path: Path, only_run: ReadRun) -> None:
    job = trainer(tmp_path, KohakuBoardCallback(config={"mine": 1}), learning_rate=0.125, hub_token="secret")
    job.train()
    config = only_run().config
    assert (config["learning_rate"], config["mine"]) == (0.125, 1)
    assert config["model"]["n_embd"] == 8
    assert config["model_parameters"] == GPT2LMHeadModel(SHAPE).num_parameters()
    assert "secret" not in str(config)


def test_an_evaluation_before_training_opens_the_run(tmp_path: Path, only_run: ReadRun) -> None:
    job = trainer(tmp_path, KohakuBoardCallback())
    job.evaluate()
    job.train()
    assert [step for step, _ in points(only_run(), "eval/loss")] == [0, 2, 4]


def test_a_second_training_is_a_second_run(tmp_path: Path, root: Path) -> None:
    job = trainer(tmp_path, KohakuBoardCallback())
    job.train()
    job.train()
    runs = Workspace(root).runs()
    assert [[step for step, _ in points(run, "train/loss")] for run in runs] == [[2, 4], [2, 4]]


def test_a_model_of_plain_torch_will_do(tmp_path: Path, only_run: ReadRun) -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = torch.nn.Embedding(16, 16)

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            scores = self.scores(input_ids)
            return {"loss": torch.nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten())}

    trainer(tmp_path, KohakuBoardCallback(), model=Plain()).train()
    run = only_run()
    assert run.config["model_parameters"] == 256
    assert "model" not in run.config


def test_the_constructor_has_no_effect(surroundings: Callable[[], object]) -> None:
    before = surroundings()
    KohakuBoardCallback(name="a", config={"b": 1})
    assert surroundings() == before


def test_logs_are_not_changed(tmp_path: Path, root: Path) -> None:
    job = trainer(tmp_path)
    callback = KohakuBoardCallback()
    logs = {"loss": 1.0, "eval_loss": 2.0, "train_loss": 1.5, "total_flos": 3}
    callback.on_log(job.args, job.state, job.control, logs=logs, model=None)
    assert logs == {"loss": 1.0, "eval_loss": 2.0, "train_loss": 1.5, "total_flos": 3}
    assert callback.board is not None
    callback.board.finish()


def test_other_ranks_write_nothing(tmp_path: Path, root: Path) -> None:
    job = trainer(tmp_path)
    elsewhere: Any = SimpleNamespace(is_world_process_zero=False, is_hyper_param_search=False, global_step=1)
    callback = KohakuBoardCallback()
    callback.on_train_begin(job.args, elsewhere, job.control)
    callback.on_log(job.args, elsewhere, job.control, logs={"loss": 1.0})
    callback.on_predict(job.args, elsewhere, job.control, metrics={"test_loss": 1.0})
    callback.on_train_end(job.args, elsewhere, job.control)
    assert not root.exists()


def test_a_copy_continues_the_run(tmp_path: Path, only_run: ReadRun) -> None:
    job = trainer(tmp_path, callback := KohakuBoardCallback())
    job.train()
    other = pickle.loads(pickle.dumps(callback))
    other.on_log(job.args, job.state, job.control, logs={"eval_again": 1.0})
    assert points(only_run(), "eval/again") == [(4, 1.0)]
    other.board.finish()


@pytest.mark.parametrize(("arguments", "status"), [((), "finished"), (("--fail",), "failed")])
def test_the_end_is_told_truly(
    arguments: tuple[str, ...],
    status: str,
    start_job: Callable[..., subprocess.Popen[str]],
    only_run: ReadRun,
) -> None:
    """Trainer tells its callbacks nothing of an error; the Board finds it when the interpreter exits."""
    printed, _ = start_job("transformers_job.py", *arguments).communicate(timeout=100)
    run = only_run()
    assert run.status == status, printed
    assert ("ValueError: the loss exploded" in (run.error or "")) == (status == "failed")
    assert [step for step, _ in points(run, "train/loss")][:2] == [1, 2]
