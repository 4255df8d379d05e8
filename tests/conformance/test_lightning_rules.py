"""What is asked of a logger for Lightning beyond the run and its end: axes, media, checkpoints, histograms."""

from __future__ import annotations

import copy
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.tuner.tuning import Tuner
from lightning_utilities.core.rank_zero import rank_zero_only

from kohakuboard import Board
from kohakuboard.lightning import KohakuBoardCallback, KohakuBoardLogger
from kohakuboard.reader import Run, Workspace
from tests.conformance.line import Line, batches, steps, trainer

pytestmark = [
    # Advice on how to train: few worker processes, no validation data, few batches.
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),  # Lightning 2.6 with PyTorch 2.13
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended"),
]

ReadRun = Callable[[], Run]


def test_r07_a_board_that_is_open_is_used_and_left_open(only_run: ReadRun) -> None:
    board = Board("mine", project="own")
    logger = KohakuBoardLogger()
    assert (logger.log_dir, logger.experiment) == (str(board.path), board)
    trainer(logger, max_epochs=1).fit(Line(), batches(2))
    assert not board.closed
    board.finish()
    assert (only_run().name, steps(only_run(), "train/loss_step")) == ("mine", [0, 1])


def test_r07_two_loggers_of_one_trainer_are_two_runs(root: Path) -> None:
    trainer([KohakuBoardLogger(), KohakuBoardLogger()], max_epochs=1).fit(Line(), batches(2))
    assert [steps(run, "train/loss_step") for run in Workspace(root).runs()] == [[0, 1], [0, 1]]


def test_r07_a_tracker_of_accelerate_shares_the_run(only_run: ReadRun) -> None:
    tracker = pytest.importorskip("kohakuboard.accelerate").KohakuBoardTracker("mine")
    tracker.log({"loop": 1.0}, step=0)
    trainer(KohakuBoardLogger(), max_epochs=1).fit(Line(), batches(2))
    tracker.log({"loop": 1.0}, step=1)
    tracker.finish()
    assert (steps(only_run(), "loop"), steps(only_run(), "train/loss_step")) == ([0, 1], [0, 1])


def test_r10_a_training_with_a_logger_of_its_own_is_a_run_of_its_own(root: Path) -> None:
    """What a second Trainer logs through the same logger belongs to the same run, as its `test` does."""
    for lr in (0.1, 0.2):
        trainer(KohakuBoardLogger(), max_epochs=1).fit(Line(lr), batches(3))
    assert [steps(run, "train/loss_step") for run in Workspace(root).runs()] == [[0, 1, 2], [0, 1, 2]]


def test_r10_a_second_training_with_the_same_logger_is_another_attempt_at_its_run(only_run: ReadRun) -> None:
    """Their steps were mixed up: each step had two values, one of each training."""
    logger = KohakuBoardLogger()

    class Failing(Line):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            if self.global_step == 4:
                raise ValueError("the loss exploded")

    with pytest.raises(ValueError, match="the loss exploded"):
        trainer(logger).fit(Failing(), batches(3), batches(1))
    model, job = Line(), trainer(logger, max_epochs=1)
    job.fit(model, batches(3))
    job.test(model, batches(1), verbose=False)
    job.fit_loop.max_epochs = 2
    job.fit(model, batches(3))  # goes on with its steps
    run = only_run()
    assert run.status == "finished"
    assert [attempt.status for attempt in run.attempts] == ["failed", "finished"]
    assert steps(run, "train/loss_step") == [0, 1, 2, 3, 4, 5]
    assert [int(step) for step in run.series("train/loss_step", attempt=1).step] == [0, 1, 2, 3]
    assert [int(step) for step in run.series("train/loss_step", attempt=2).step] == [0, 1, 2, 3, 4, 5]
    assert steps(run, "val/loss_epoch") == [2]  # what is not logged again stays
    assert steps(run, "test/loss") == [3]


def test_r10_a_training_that_goes_back_to_its_checkpoint_is_another_attempt(
    only_run: ReadRun, tmp_path: Path
) -> None:
    logger = KohakuBoardLogger()
    job = trainer(logger, max_epochs=1)
    job.fit(Line(), batches(3))
    job.save_checkpoint(tmp_path / "kept.ckpt")
    for epochs in (3, 2):
        trainer(logger, max_epochs=epochs).fit(Line(), batches(3), ckpt_path=str(tmp_path / "kept.ckpt"))
    run = only_run()
    assert len(run.attempts) == 3
    assert steps(run, "train/loss_step") == [0, 1, 2, 3, 4, 5]


def test_r02_the_first_process_of_another_node_opens_no_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOCAL_RANK is 0 there, too, and who is asked before there is a Trainer takes it for rank 0."""
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    logger = KohakuBoardLogger()
    variables = {"NODE_RANK": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29531"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    trainer(logger, strategy="ddp", devices=1, num_nodes=2)
    logger.log_metrics({"a": 1.0}, step=0)
    logger.log_hyperparams({"lr": 1})
    logger.finalize("success")
    assert not root.exists()


def test_r56_what_is_logged_of_a_fit_and_a_test_is_what_every_logger_gets(only_run: ReadRun) -> None:
    """As Lightning's own tests of all its loggers have it: of a logger whose `log_metrics` is overridden."""
    history: list[tuple[int, list[str]]] = []

    class Telling(KohakuBoardLogger):
        def log_metrics(self, metrics: Any, step: Any = None) -> None:
            history.append((step, sorted(metrics)))
            super().log_metrics(metrics, step)

    class Some(Line):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            loss = self.loss(batch)
            self.log("train_some_val", loss)
            return loss

        def on_validation_epoch_end(self) -> None:
            self.log_dict({"early_stop_on": 1.0, "val_loss": 0.5})

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            return

        def test_step(self, batch: Any, batch_idx: int) -> None:
            self.log("test_loss", 0.25)

    job = trainer(Telling(), max_epochs=1, limit_train_batches=1, limit_val_batches=1)
    job.fit(Some(), batches(1), batches(1))
    job.test(Some(), batches(1), verbose=False)
    assert history == [
        (0, ["epoch", "train_some_val"]),
        (0, ["early_stop_on", "epoch", "val_loss"]),
        (1, ["epoch", "test_loss"]),
    ]
    assert {name for _, names in history for name in names} == set(only_run().metrics)


def test_r23_a_learning_rate_lies_on_the_step_of_its_loss(only_run: ReadRun) -> None:
    trainer(KohakuBoardLogger(), callbacks=[LearningRateMonitor()], max_epochs=1).fit(Line(), batches(3))
    assert set(steps(only_run(), "lr-SGD")) == set(steps(only_run(), "train/loss_step")) == {0, 1, 2}


def test_r24_each_value_has_its_epoch_and_evaluations_an_axis_of_their_own(only_run: ReadRun) -> None:
    class ByHand(Line):
        def on_train_batch_end(self, *args: Any) -> None:
            self.logger.log_metrics({"by_hand": 1.0}, step=self.global_step)  # type: ignore[union-attr]

    trainer(KohakuBoardLogger()).fit(ByHand(), batches(4), batches(2))
    run = only_run()
    epochs = {
        int(seq): value for seq, value in zip(run.series("epoch").seq, run.series("epoch").value, strict=True)
    }
    for name in ("train/loss_step", "train/loss_epoch", "val/loss_epoch", "by_hand"):
        assert all(int(seq) in epochs for seq in run.series(name).seq), name
    batch = run.series("val/loss_step")
    assert batch.step.tolist() == [0, 1, 2, 3]
    for name, expected in (("trainer/step", [3, 3, 7, 7]), ("trainer/epoch", [0, 0, 1, 1])):
        beside = run.series(name)
        assert (beside.seq.tolist(), beside.value.tolist()) == (batch.seq.tolist(), expected)
    assert steps(run, "train/loss_step") == list(range(8))


def test_r28_r30_values_of_any_kind_are_taken_or_refused_by_name(
    only_run: ReadRun, caplog: pytest.LogCaptureFixture
) -> None:
    logger = KohakuBoardLogger()
    values: dict[str, Any] = {
        "float": 0.5, "int": 3, "bool": True, "inf": math.inf, "nan": math.nan, "tensor": torch.tensor(2.0),
        "grad": torch.tensor(1.0, requires_grad=True), "bf16": torch.tensor(1.5, dtype=torch.bfloat16),
        "numpy": np.float32(1.0), "none": None, "many": torch.randn(8), "object": object(),
    }  # fmt: skip
    for step in range(2):
        logger.log_metrics(values, step=step)
    logger.finalize("success")
    metrics = only_run().metrics
    assert {"float", "int", "bool", "inf", "nan", "tensor", "grad", "bf16", "numpy"} <= set(metrics)
    assert caplog.text.count("'many' of type") == caplog.text.count("'object' of type") == 1


def test_r50_saving_after_each_value_writes_nothing_more(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    for step in range(10_000):
        logger.log_metrics({"a": float(step)}, step=step)
        logger.save()
    logger.finalize("success")
    assert len(only_run().series("a").step) == 10_000


# Checkpoints


@pytest.mark.parametrize(
    ("log_model", "kept", "versions"),
    [(False, 1, 0), (True, 1, 1), (True, 2, 2), ("all", 1, 3), (True, -1, 3)],
)
def test_r51_checkpoints_become_artifacts_as_is_asked(
    only_run: ReadRun, log_model: Any, kept: int, versions: int
) -> None:
    logger = KohakuBoardLogger(log_model=log_model)
    saving = ModelCheckpoint(monitor="val/loss_epoch", save_top_k=kept)
    trainer(logger, enable_checkpointing=True, callbacks=[saving], max_epochs=3).fit(
        Line(), batches(2), batches(1)
    )
    artifacts = only_run().artifacts
    assert len(artifacts) == versions
    if versions:
        assert all(isinstance(one.metadata["score"], float) for one in artifacts)
        assert sum("best" in one.aliases for one in artifacts) == 1


def test_r51_two_callbacks_and_files_that_are_gone_are_no_trouble(only_run: ReadRun) -> None:
    class Vandal(pl.Callback):
        def on_train_end(self, job: pl.Trainer, module: pl.LightningModule) -> None:
            Path(first.best_model_path).unlink()

    first = ModelCheckpoint(monitor="val/loss_epoch", filename="first-{epoch}")
    second = ModelCheckpoint(monitor="train/loss_epoch", filename="second-{epoch}")
    job = trainer(
        KohakuBoardLogger(log_model=True), enable_checkpointing=True, callbacks=[first, second, Vandal()]
    )
    job.fit(Line(), batches(2), batches(1))
    assert [one.metadata["file"].partition("-")[0] for one in only_run().artifacts] == ["second"]


# Media


def test_r52_media_come_as_lists_with_a_list_for_each_option(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    picture = np.zeros((4, 5, 3), np.uint8)
    logger.log_image("pictures", [picture, picture], step=1, caption=["one", "two"])
    logger.log_audio("sounds", [np.zeros(100, np.float32)], step=1, sample_rate=[8000])
    logger.log_table("table", columns=["a"], data=[[1], [2]], step=1)
    logger.log_text("text", ["a word"], step=1)
    with pytest.raises(TypeError, match='Expected a list as "images", found'):
        logger.log_image("pictures", picture)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Expected 1 items but only found 2 for caption"):
        logger.log_image("pictures", [picture], caption=["one", "two"])
    logger.finalize("success")
    run = only_run()
    assert [entry.caption for entry in run.media("pictures")] == ["one", "two"]
    assert run.media("sounds")[0].mime == "audio/wav"
    assert [list(row) for row in run.table("table", 1).rows] == [[1], [2]]
    assert [entry.text for entry in run.text("text")] == ["a word"]


# Around training


def test_r54_what_is_logged_by_hand_in_the_sanity_check_is_left_out(only_run: ReadRun) -> None:
    class ByHand(Line):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.logger.log_metrics({"by_hand": 1.0}, step=self.global_step)  # type: ignore[union-attr]

    trainer(KohakuBoardLogger(), max_epochs=1, num_sanity_val_steps=2).fit(ByHand(), batches(3), batches(1))
    assert steps(only_run(), "by_hand") == [3]


def test_r54_a_tuner_leaves_no_run(root: Path) -> None:
    job = trainer(KohakuBoardLogger())
    logger = job.logger
    Tuner(job).lr_find(Line(), batches(4), num_training=3, min_lr=0.01)

    class Sized(Line):
        batch_size = 2

        def train_dataloader(self) -> Any:
            return batches(8)

        def val_dataloader(self) -> Any:
            return batches(1)

    Tuner(job).scale_batch_size(Sized(), max_trials=1, steps_per_trial=1)
    assert job.logger is logger
    assert not root.exists()


def test_r54_a_tuner_leaves_a_run_that_was_there_before(only_run: ReadRun) -> None:
    """It was deleted with all that had been logged to it."""
    with Board("mine", project="own", run_id="kept") as board:
        board.log(a=1.0)
    Tuner(trainer(KohakuBoardLogger(project="own", version="kept"))).lr_find(
        Line(), batches(4), num_training=3, min_lr=0.01
    )
    assert steps(only_run(), "a") == [0]


# The companion


def test_r53_gradients_are_logged_once_for_each_step_of_the_optimizer(only_run: ReadRun) -> None:
    model = Line()
    job = trainer(
        KohakuBoardLogger(),
        callbacks=[KohakuBoardCallback(parameters=True, every_n_steps=1)],
        accumulate_grad_batches=2,
        max_epochs=1,
    )
    job.fit(model, batches(6))
    run = only_run()
    names = [f"{kind}/layer.{part}" for kind in ("grad", "param") for part in ("weight", "bias")]
    assert set(names) <= set(run.histogram_names())
    for name in names:
        assert run.histograms(name).step.tolist() == [0, 1, 2]
    assert steps(run, "lr/SGD") == [0, 1, 2]
    pickle.dumps(model)
    copy.deepcopy(model)


def test_r53_a_watched_model_can_be_copied_and_pickled(only_run: ReadRun) -> None:
    model = Line()
    logger = KohakuBoardLogger()
    logger.watch(model, log="all", log_freq=1)
    pickle.dumps(model)
    copy.deepcopy(model)
    logger.experiment.log(a=1.0)
    logger.finalize("success")
    assert not model._forward_hooks


@pytest.mark.filterwarnings("ignore")  # torch's own, of how it compiles
def test_r53_a_compiled_model_is_logged_like_any_other(only_run: ReadRun) -> None:
    model = Line()
    model.layer = torch.compile(model.layer, backend="eager")  # type: ignore[assignment]
    job = trainer(KohakuBoardLogger(), callbacks=[KohakuBoardCallback(every_n_steps=1)], max_epochs=1)
    job.fit(model, batches(2))
    run = only_run()
    (name,) = [name for name in run.histogram_names() if name.endswith("weight")]
    assert run.histograms(name).step.tolist() == steps(run, "train/loss_step") == [0, 1]


def test_throughput_and_samples_are_logged(only_run: ReadRun) -> None:
    class Telling(Line):
        def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:  # type: ignore[override]
            return {"x": batch[0][:, 0], "prediction": self.layer(batch[0])[:, 0]}

    callback = KohakuBoardCallback(samples=3)
    trainer(KohakuBoardLogger(), callbacks=[callback], max_epochs=1).fit(Telling(), batches(3), batches(2))
    run = only_run()
    assert steps(run, "throughput/samples_per_s") == [0, 1, 2]
    table = run.table("samples")
    assert (table.columns, len(table.rows), table.step) == (["x", "prediction"], 3, 2)


def test_r12_r13_a_training_that_is_resumed_continues_its_run(only_run: ReadRun, tmp_path: Path) -> None:
    def fit(epochs: int, ckpt: str | None) -> None:
        saving = ModelCheckpoint(dirpath=tmp_path / "kept", save_last=True)
        job = trainer(
            KohakuBoardLogger(),
            enable_checkpointing=True,
            callbacks=[saving, KohakuBoardCallback()],
            max_epochs=epochs,
        )
        job.fit(Line(), batches(3), ckpt_path=ckpt)

    fit(1, None)
    fit(3, str(tmp_path / "kept" / "last.ckpt"))
    run = only_run()
    assert steps(run, "train/loss_step") == list(range(9))
    assert [(attempt.number, attempt.at_step) for attempt in run.attempts] == [(1, None), (2, 2)]
    assert run.status == "finished"


def test_r13_a_checkpoint_from_within_an_epoch_loses_no_step(only_run: ReadRun, tmp_path: Path) -> None:
    """Lightning counts the step that it is saved in only when it goes on; the step was taken for superseded."""

    def fit(steps: int, ckpt: str | None) -> None:
        saving = ModelCheckpoint(dirpath=tmp_path / "kept", save_last=True, every_n_train_steps=4)
        job = trainer(
            KohakuBoardLogger(),
            enable_checkpointing=True,
            callbacks=[saving, KohakuBoardCallback()],
            max_steps=steps,
        )
        job.fit(Line(), batches(10), ckpt_path=ckpt)

    fit(6, None)
    fit(8, str(tmp_path / "kept" / "last.ckpt"))
    run = only_run()
    assert steps(run, "train/loss_step") == list(range(8))


def test_r14_a_checkpoint_whose_run_is_gone_begins_another(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    callback = KohakuBoardCallback()
    job = trainer(KohakuBoardLogger(), callbacks=[callback], max_epochs=1)
    job.fit(Line(), batches(3))
    job.save_checkpoint(tmp_path / "kept.ckpt")
    shutil.rmtree(root)
    later = trainer(KohakuBoardLogger(), callbacks=[KohakuBoardCallback()], max_epochs=2)
    later.fit(Line(), batches(3), ckpt_path=str(tmp_path / "kept.ckpt"))
    (run,) = Workspace(root).runs()
    assert steps(run, "train/loss_step") == [3, 4, 5]
    assert "another one is begun" in caplog.text
