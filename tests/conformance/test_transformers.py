"""What is asked of a callback for transformers, rule by rule; a test's name has the rule's number.

Real Trainers with a tiny model. Rules that are about processes and launches are in
test_transformers_jobs.py and test_autoload.py.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import optuna
import pytest
import torch
from transformers import TrainerCallback

from kohakuboard import Board
from kohakuboard.reader import Run, Workspace
from kohakuboard.transformers import KohakuBoardCallback
from tests.conformance.tiny import points, sentences, tiny_model, tiny_trainer

ReadRun = Callable[[], Run]

JOBS = Path(__file__).parent / "jobs"


@pytest.fixture(autouse=True)
def _known_by_name() -> None:
    """Let report_to know the name, also in a checkout that is not installed."""
    import transformers.integrations.integration_utils as utils

    from kohakuboard_transformers.registration import register

    register(utils)


def runs_of(root: Path) -> list[Run]:
    """Return the runs there are, the first one first."""
    return Workspace(root).runs()[::-1]


def test_r04_evaluate_and_predict_after_train_go_to_the_same_run(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.train()
    job.evaluate()
    job.predict(sentences(4))  # type: ignore[arg-type]
    assert {"train/loss", "eval/loss", "test/loss"} <= set(only_run().metrics)


def test_r05_evaluations_around_the_training_are_one_run(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.evaluate()
    job.train()
    job.evaluate()
    job.evaluate()
    assert [step for step, _ in points(only_run(), "eval/loss")] == [0, 2, 4, 4, 4]


def test_r07_a_board_that_is_open_is_used_and_left_open(tmp_path: Path, only_run: ReadRun) -> None:
    board = Board("mine", project="own")
    board.log(before=1.0, step=0)
    tiny_trainer(tmp_path, report_to="kohakuboard").train()
    assert not board.closed
    board.log(after=1.0, step=9)
    board.finish()
    run = only_run()
    assert {"before", "train/loss", "after"} <= set(run.metrics)
    assert (run.name, run.config.get("max_steps")) == ("mine", 4)


@pytest.mark.parametrize(
    "twice", [{"report_to": ["kohakuboard", "kohakuboard"]}, {"report_to": "kohakuboard"}]
)
def test_r08_two_callbacks_of_one_trainer_write_once(
    tmp_path: Path, only_run: ReadRun, twice: dict[str, Any]
) -> None:
    added = [KohakuBoardCallback(tags=["given"])] if twice["report_to"] == "kohakuboard" else []
    tiny_trainer(tmp_path, *added, **twice).train()
    run = only_run()
    assert [step for step, _ in points(run, "train/loss")] == [2, 4]
    assert run.tags == (["given"] if added else [])


def test_r09_training_that_begins_anew_with_another_batch_size_is_one_run(
    tmp_path: Path, only_run: ReadRun
) -> None:
    class Full(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 3 and args.per_device_train_batch_size == 2 and not self.happened:
                self.happened = True
                raise RuntimeError("CUDA out of memory.")

        happened = False

    job = tiny_trainer(
        tmp_path, Full(), report_to="kohakuboard", auto_find_batch_size=True, logging_steps=1, max_steps=4
    )
    job.train()
    run = only_run()
    assert [step for step, _ in points(run, "train/loss")] == [1, 2, 3, 4]
    logged = [log["loss"] for log in job.state.log_history if "loss" in log]
    assert [value for _, value in points(run, "train/loss")] == logged
    assert [attempt.status for attempt in run.attempts] == ["failed", "finished"]


def test_r10_a_second_training_is_another_run_of_the_group(tmp_path: Path, root: Path) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.train()
    job.train()
    first, second = runs_of(root)
    assert [step for step, _ in points(first, "train/loss")] == [2, 4]
    assert [step for step, _ in points(second, "train/loss")] == [2, 4]
    assert first.group == second.group == "out"


def test_r11_each_trial_of_a_search_is_a_run(tmp_path: Path, root: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    class Unlucky(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 3 and args.seed == 1:
                raise optuna.TrialPruned
            if state.global_step == 3 and args.seed == 2:
                raise ValueError("diverged")

    job = tiny_trainer(tmp_path, Unlucky(), report_to="kohakuboard", model_init=True, run_name="sweep")
    with pytest.raises(
        ValueError, match="diverged"
    ):  # to let optuna catch it takes a later version than 4.45
        job.hyperparameter_search(
            lambda trial: {"seed": trial.suggest_int("seed", trial.number, trial.number)},
            backend="optuna",
            n_trials=3,
            compute_objective=lambda metrics: metrics["eval_loss"],
        )
    runs = runs_of(root)
    assert [run.config["trial"] for run in runs] == [{"seed": 0}, {"seed": 1}, {"seed": 2}]
    assert [run.name for run in runs] == ["seed=0", "seed=1", "seed=2"]
    assert {run.group for run in runs} == {"sweep"}
    assert [run.status for run in runs[:2]] == ["finished", "interrupted"]
    for run in runs:
        assert [step for step, _ in points(run, "train/loss")] == ([2, 4] if run is runs[0] else [2])
    # The last one is open until the interpreter ends, as nobody tells of the error; other tests would share it.
    for callback in job.callback_handler.callbacks:
        if isinstance(callback, KohakuBoardCallback) and callback.board is not None:
            callback.board.finish("failed")


def test_r12_r13_a_resumed_training_continues_its_run_and_doubles_nothing(
    tmp_path: Path, only_run: ReadRun
) -> None:
    saving: dict[str, Any] = {
        "report_to": "kohakuboard",
        "save_strategy": "steps",
        "save_steps": 2,
        "logging_steps": 1,
    }
    tiny_trainer(tmp_path, max_steps=3, **saving).train()
    job = tiny_trainer(tmp_path, max_steps=4, **saving)
    job.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2"))
    run = only_run()
    assert [step for step, _ in points(run, "train/loss")] == [1, 2, 3, 4]
    assert [(attempt.number, attempt.at_step) for attempt in run.attempts] == [(1, None), (2, 2)]


def test_r14_a_run_that_is_gone_is_begun_anew_with_a_warning(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saving: dict[str, Any] = {
        "report_to": "kohakuboard",
        "save_strategy": "steps",
        "save_steps": 2,
        "logging_steps": 1,
    }
    tiny_trainer(tmp_path, max_steps=2, **saving).train()
    (gone,) = runs_of(root)
    shutil.rmtree(gone.path)
    tiny_trainer(tmp_path, max_steps=4, **saving).train(
        resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2")
    )
    (run,) = runs_of(root)
    assert run.id != gone.id
    assert [step for step, _ in points(run, "train/loss")] == [3, 4]
    assert gone.id in caplog.text


def test_r14_never_means_that_a_resumed_training_is_another_run(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving: dict[str, Any] = {
        "report_to": "kohakuboard",
        "save_strategy": "steps",
        "save_steps": 2,
        "logging_steps": 1,
    }
    tiny_trainer(tmp_path, max_steps=2, **saving).train()
    monkeypatch.setenv("KOHAKUBOARD_RESUME", "never")
    tiny_trainer(tmp_path, max_steps=4, **saving).train(
        resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2")
    )
    assert [[step for step, _ in points(run, "train/loss")] for run in runs_of(root)] == [[1, 2], [3, 4]]


def test_r23_logs_of_one_step_lie_on_it_together(tmp_path: Path, only_run: ReadRun) -> None:
    tiny_trainer(tmp_path, report_to="kohakuboard").train()
    run = only_run()
    steps = [[step for step, _ in points(run, name)] for name in ("train/loss", "eval/loss")]
    assert steps == [[2, 4], [2, 4]]


ODD: dict[str, Any] = {
    "float": 0.5, "int": 3, "bool": True, "nan": math.nan, "inf": math.inf, "none": None, "text": "word",
    "scalar": torch.tensor(2.0), "one": torch.ones(1), "bf16": torch.tensor(1.5, dtype=torch.bfloat16),
    "grad": torch.tensor(1.0, requires_grad=True), "nested": {"a": 1.0}, "list": [1, 2], "object": object(),
}  # fmt: skip


def test_r28_r29_values_of_any_kind_are_taken_or_refused_by_name(
    tmp_path: Path, only_run: ReadRun, caplog: pytest.LogCaptureFixture
) -> None:
    job = tiny_trainer(tmp_path)
    callback = KohakuBoardCallback()
    for _ in range(2):
        callback.on_log(job.args, job.state, job.control, logs=dict(ODD))
    callback.on_train_end(job.args, job.state, job.control)
    metrics = only_run().metrics
    taken = {"float": 0.5, "int": 3.0, "bool": 1.0, "scalar": 2.0, "one": 1.0, "bf16": 1.5, "grad": 1.0}
    assert {name: metrics[f"train/{name}"].last for name in taken} == taken
    assert math.isnan(metrics["train/nan"].last)
    assert metrics["train/inf"].last == math.inf
    assert caplog.text.count("train/object") == 1


def test_r29_a_loss_that_the_filter_hides_is_pointed_out(tmp_path: Path, only_run: ReadRun) -> None:
    model = tiny_model()
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    tiny_trainer(tmp_path, model=model, report_to="kohakuboard", logging_steps=1).train()
    run = only_run()
    assert points(run, "train/loss")[0][1] == 0.0
    (alert,) = run.alerts
    assert "logging_nan_inf_filter" in alert.text


def test_r32_logs_and_arguments_are_not_changed(tmp_path: Path, root: Path) -> None:
    job = tiny_trainer(tmp_path)
    callback = KohakuBoardCallback()
    logs = {"loss": 1.0, "eval_loss": 2.0, "train_loss": 1.5, "total_flos": 3}
    before = copy.deepcopy(logs)
    callback.on_log(job.args, job.state, job.control, logs=logs)
    callback.on_train_end(job.args, job.state, job.control)
    assert logs == before


def test_r33_names_are_those_of_the_callbacks_of_transformers() -> None:
    from transformers.integrations.integration_utils import rewrite_logs

    from kohakuboard_transformers.metrics import with_groups

    logs = {
        "loss": 1.0, "epoch": 0.5, "eval_loss": 1.0, "eval_a_loss": 2.0, "test_loss": 3.0, "learning_rate": 0.1,
        "rewards/x/mean": 0.5, "eval_runtime": 1.0, "eval_samples_per_second": 2.0,
    }  # fmt: skip
    assert with_groups(logs) == rewrite_logs(logs)  # type: ignore[no-untyped-call]


def test_r33_an_evaluation_with_a_prefix_of_its_own_is_not_called_training(
    tmp_path: Path, only_run: ReadRun
) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.evaluate(metric_key_prefix="held_out")
    job.train()
    assert "held_out/loss" in only_run().metrics
    assert not [name for name in only_run().metrics if name.startswith("train/held_out")]


@pytest.mark.parametrize("counting", [False, True])
def test_r34_final_figures_go_to_the_summary_and_only_they(
    tmp_path: Path, only_run: ReadRun, counting: bool
) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard", include_num_input_tokens_seen=counting)
    result = job.train().metrics
    run = only_run()
    assert {name: run.user_summary[name] for name in ("train_loss", "train_runtime")} == {
        name: result[name] for name in ("train_loss", "train_runtime")
    }
    # transformers 4.45 tells it once even so.
    told = [log for log in job.state.log_history if "train_runtime" in log and "train_loss" not in log]
    assert counting or not told
    assert ("train/train_runtime" in run.metrics) == bool(told)


def test_r39_the_config_needs_no_model_with_a_config_and_holds_no_secret(
    tmp_path: Path, only_run: ReadRun
) -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = torch.nn.Embedding(16, 16)
            self.scores.weight.requires_grad_(True)

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            scores = self.scores(input_ids)
            return {
                "loss": torch.nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten()),
                "logits": scores,
            }

    job = tiny_trainer(tmp_path, model=Plain(), report_to="kohakuboard", hub_token="hf_secret")
    job.predict(sentences(4))  # type: ignore[arg-type]
    run = only_run()
    assert run.config["model_parameters"] == run.config["trainable_parameters"] == 256
    assert "hf_secret" not in str(run.config)
    assert "test/loss" in run.metrics


def test_r61_the_callback_pickles_before_and_after_a_training(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    (ours,) = (one for one in job.callback_handler.callbacks if isinstance(one, KohakuBoardCallback))
    pickle.loads(pickle.dumps(ours))
    job.train()
    other = pickle.loads(pickle.dumps(ours))
    other.on_log(job.args, job.state, job.control, logs={"eval_again": 1.0})
    other.on_train_end(job.args, job.state, job.control)
    assert points(only_run(), "eval/again") == [(4, 1.0)]


def test_r61_all_callbacks_of_a_trainer_pickle_as_ray_does_it(tmp_path: Path, root: Path) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    for _ in range(2):
        callbacks = cloudpickle.loads(cloudpickle.dumps(job.callback_handler.callbacks))
        assert any(isinstance(one, KohakuBoardCallback) for one in callbacks)
        job.train()


def test_r61_no_event_answers_or_touches_the_control(tmp_path: Path, root: Path) -> None:
    job = tiny_trainer(tmp_path)
    callback = KohakuBoardCallback()
    events = [name for name in dir(TrainerCallback) if name.startswith("on_")]
    assert len(events) >= 14
    before = vars(job.control).copy()
    given = {"logs": {"loss": 1.0}, "metrics": {"test_loss": 1.0}}
    answers = [getattr(callback, name)(job.args, job.state, job.control, **given) for name in sorted(events)]
    assert answers == [None] * len(events)
    assert vars(job.control) == before
    callback.on_train_end(job.args, job.state, job.control)


# Models


def test_r62_checkpoints_that_are_deleted_soon_are_kept_as_artifacts(
    tmp_path: Path, only_run: ReadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_LOG_MODEL", "checkpoint")
    tiny_trainer(
        tmp_path,
        report_to="kohakuboard",
        save_strategy="steps",
        save_steps=1,
        logging_steps=1,
        save_total_limit=1,
        max_steps=3,
    ).train()
    assert [path.name for path in (tmp_path / "out").glob("checkpoint-*")] == ["checkpoint-3"]
    versions = only_run().artifacts
    assert [(one.version, one.step, one.metadata["step"]) for one in versions] == [
        (0, 1, 1),
        (1, 2, 2),
        (2, 3, 3),
    ]
    assert {one.name for one in versions} == {f"checkpoint-{only_run().id}"}
    for one in versions:
        assert json.loads((one.path / "trainer_state.json").read_text())["global_step"] == one.step


def test_r62_in_a_search_each_run_keeps_the_checkpoints_of_its_trial(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_LOG_MODEL", "checkpoint")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    job = tiny_trainer(
        tmp_path, report_to="kohakuboard", model_init=True, save_strategy="steps", save_steps=1, logging_steps=1,
        save_total_limit=1, max_steps=2,
    )  # fmt: skip
    job.hyperparameter_search(
        lambda trial: {"seed": trial.suggest_int("seed", trial.number, trial.number)},
        backend="optuna",
        n_trials=2,
        compute_objective=lambda metrics: metrics["eval_loss"],
    )
    runs = runs_of(root)
    assert [[one.step for one in run.artifacts] for run in runs] == [[1, 2], [1, 2]]
    for number, run in enumerate(runs):
        for one in run.artifacts:
            state = json.loads((one.path / "trainer_state.json").read_text())
            assert state["trial_params"] == {"seed": number}


def test_the_final_model_is_kept_when_it_is_asked_for_and_can_be_loaded(
    tmp_path: Path, only_run: ReadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_LOG_MODEL", "end")
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.train()
    (model,) = only_run().artifacts
    assert (model.name, model.type, model.step) == (f"model-{only_run().id}", "model", 4)
    loaded = type(tiny_model()).from_pretrained(model.path)
    assert job.model is not None
    kept, trained = loaded.state_dict(), job.model.state_dict()
    assert all(torch.equal(kept[name], trained[name]) for name in trained)


def test_r63_predict_alone_is_logged(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(tmp_path, report_to="kohakuboard")
    job.predict(sentences(4))  # type: ignore[arg-type]
    assert [step for step, _ in points(only_run(), "test/loss")] == [0]


def test_r39_the_config_holds_arguments_and_model(tmp_path: Path, only_run: ReadRun) -> None:
    job = tiny_trainer(
        tmp_path, KohakuBoardCallback(config={"mine": 1}), learning_rate=0.125, hub_token="secret"
    )
    job.train()
    config = only_run().config
    assert (config["learning_rate"], config["mine"]) == (0.125, 1)
    assert config["model"]["n_embd"] == 8
    assert config["model_parameters"] == tiny_model().num_parameters()
    assert "secret" not in str(config)


def test_r01_the_constructor_has_no_effect(surroundings: Callable[[], object]) -> None:
    before = surroundings()
    KohakuBoardCallback(name="a", config={"b": 1})
    assert surroundings() == before


def test_r02_other_ranks_write_nothing(tmp_path: Path, root: Path) -> None:
    job = tiny_trainer(tmp_path)
    elsewhere: Any = SimpleNamespace(is_world_process_zero=False, is_hyper_param_search=False, global_step=1)
    callback = KohakuBoardCallback()
    callback.on_train_begin(job.args, elsewhere, job.control)
    callback.on_log(job.args, elsewhere, job.control, logs={"loss": 1.0})
    callback.on_predict(job.args, elsewhere, job.control, metrics={"test_loss": 1.0})
    callback.on_train_end(job.args, elsewhere, job.control)
    assert not root.exists()


def test_r15_r17_the_end_is_told_truly(
    start_job: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Trainer tells its callbacks nothing of an error; the Board finds it when the interpreter exits."""
    ends = {"finished": [], "failed": ["--fail"]}
    commands = [(str(tmp_path / status), arguments, None) for status, arguments in ends.items()]
    job = start_job("forked_jobs.py", JOBS / "transformers_job.py", json.dumps(commands))
    printed, _ = job.communicate(timeout=100)
    for status in ends:
        (run,) = Workspace(tmp_path / status).runs()
        assert run.status == status, printed
        assert ("ValueError: the loss exploded" in (run.error or "")) == (status == "failed")
        assert [step for step, _ in points(run, "train/loss")][:2] == [1, 2]
