"""One job is one run, every value lies on its step, and its end is told truly. Real trainers."""

from __future__ import annotations

import csv
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from kohakuboard.lightning import KohakuBoardLogger
from kohakuboard.reader import Run
from tests.conformance.line import Line, batches, steps, trainer

pytestmark = [
    # Advice on how to train: few worker processes, no validation data, few batches.
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),  # Lightning 2.6 with PyTorch 2.13
]

ReadRun = Callable[[], Run]


# One job, one run


def test_r04_r24_fit_validate_and_test_are_one_run_on_the_trainers_steps(only_run: ReadRun) -> None:
    job = trainer(KohakuBoardLogger())
    model = Line()
    job.fit(model, batches(4), batches(2))
    job.validate(model, batches(2), verbose=False)
    job.test(model, batches(2), verbose=False)
    run = only_run()
    assert run.project == "lightning_logs"
    assert steps(run, "train/loss_step") == list(range(8))
    assert steps(run, "train/loss_epoch") == [3, 7]
    assert steps(run, "val/loss_step") == [0, 1, 2, 3, 0, 1]  # counts batches of validation
    assert steps(run, "val/loss_epoch") == [3, 7, 8]
    assert steps(run, "test/loss") == [8]
    assert run.status == "finished"


def test_r22_the_series_are_those_that_a_csv_logger_beside_recorded(
    only_run: ReadRun, tmp_path: Path
) -> None:
    beside = CSVLogger(tmp_path / "csv")
    trainer([KohakuBoardLogger(), beside]).fit(Line(), batches(5), batches(3))
    expected: dict[str, list[tuple[int, float]]] = {}
    with Path(beside.log_dir, "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            for name, text in row.items():
                if text:
                    expected.setdefault(name, []).append((step, float(text)))
    run = only_run()
    # Lightning tells no epoch of the batches of an evaluation.
    assert set(run.metrics) == set(expected) | {"trainer/epoch", "trainer/step"}
    for name, points in expected.items():
        series = run.series(name)
        np.testing.assert_array_equal(series.step, [step for step, _ in points], name)
        np.testing.assert_array_equal(series.value, [value for _, value in points], name)


def test_accumulated_gradients_count_as_one_step(only_run: ReadRun) -> None:
    trainer(KohakuBoardLogger(), accumulate_grad_batches=2, max_epochs=1).fit(Line(), batches(6))
    assert steps(only_run(), "train/loss_step") == [0, 1, 2]


def test_r27_the_users_own_step_metric_is_no_metric_of_ours(only_run: ReadRun) -> None:
    class OwnStep(Line):
        def on_train_batch_end(self, *args: Any) -> None:
            self.log_dict({"step": 9.0, "a": 1.0})

    trainer(KohakuBoardLogger(), max_epochs=1).fit(OwnStep(), batches(1))
    assert steps(only_run(), "a") == [9]


def test_r45_a_trainer_with_a_live_logger_can_be_pickled(only_run: ReadRun) -> None:
    job = trainer(KohakuBoardLogger(), max_epochs=1)
    job.fit(Line(), batches(2))
    logger = pickle.loads(pickle.dumps(job)).logger
    logger.log_metrics({"more": 1.0})
    assert "more" in only_run().metrics
    logger.finalize("success")


# How it ends


@pytest.fixture
def _signal_handlers() -> Iterator[None]:
    """Put back what Lightning takes away: after Ctrl-C it ignores further ones, for ever."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signal_handlers")
@pytest.mark.parametrize(
    ("action", "leaves_by", "status", "reason"),
    [
        (lambda: 1 // 0, ZeroDivisionError, "failed", "ZeroDivisionError"),
        (lambda: os.kill(os.getpid(), signal.SIGINT), SystemExit, "interrupted", "KeyboardInterrupt"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), SystemExit, "killed", "SIGTERMException"),
        (lambda: sys.exit(0), SystemExit, "interrupted", "SystemExit: 0"),
        (lambda: sys.exit(3), SystemExit, "failed", "SystemExit: 3"),
    ],
    ids=["error", "ctrl-c", "sigterm", "exit 0", "exit 3"],
)
def test_r15_r16_the_end_is_told_truly(
    action: Callable[[], Any], leaves_by: type[BaseException], status: str, reason: str, only_run: ReadRun
) -> None:
    class Ending(Line):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            if self.global_step == 5:
                action()

    # Lightning 2.2 returns from fit after Ctrl-C; later ones exit.
    with suppress(SystemExit) if leaves_by is SystemExit else pytest.raises(leaves_by):
        trainer(KohakuBoardLogger()).fit(Ending(), batches(4))
    run = only_run()
    assert run.status == status
    assert (run.error or "").startswith("Traceback")
    assert reason in (run.error or "")
    assert steps(run, "train/loss_step")[:5] == list(range(5))


def test_r06_a_training_that_is_taken_up_after_an_error_ends_well(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    with pytest.raises(TypeError):
        trainer(logger).fit(Line(lr="no number"), batches(1))  # type: ignore[arg-type]
    assert only_run().status == "failed"
    trainer(logger).fit(Line(), batches(1))
    run = only_run()
    assert (run.status, run.error) == ("finished", None)


# Around training


def test_r54_a_fast_dev_run_leaves_no_run(root: Path) -> None:
    trainer(KohakuBoardLogger(), fast_dev_run=True).fit(Line(), batches(2), batches(2))
    assert not root.exists()


def test_r46_a_logger_is_one_logger_to_the_trainer() -> None:
    logger = KohakuBoardLogger()
    assert trainer(logger).loggers == [logger]
    assert logger != KohakuBoardLogger()
    assert hash(logger)


def test_r43_checkpoints_lie_inside_the_run(only_run: ReadRun, root: Path) -> None:
    logger = KohakuBoardLogger(name="cnn", project="digits")
    job = trainer(logger, enable_checkpointing=True, max_epochs=1)
    job.fit(Line(), batches(2))
    run = only_run()
    assert Path(logger.log_dir) == run.path == root / "digits" / run.id
    assert Path(logger.save_dir, logger.name, logger.version) == run.path
    assert [path.parent for path in run.path.rglob("*.ckpt")] == [run.path / "checkpoints"]
    assert job.log_dir == logger.log_dir


def test_r37_hyperparameters_are_those_of_module_and_logger_and_follow_a_change(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger(config={"dataset": "line"})
    trainer(logger, max_epochs=1).fit(Line(lr=0.1), batches(1))
    size = {"model_parameters": 2, "trainable_parameters": 2}
    assert only_run().config == {"dataset": "line", "lr": 0.1, **size}
    trainer(logger, max_epochs=1).fit(Line(lr=0.2), batches(1))
    assert only_run().config == {"dataset": "line", "lr": 0.2, **size}


def test_r47_a_run_that_cannot_be_opened_fails_loudly_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    logger = KohakuBoardLogger(save_dir=tmp_path / "file" / "runs")
    with pytest.raises(RuntimeError, match="cannot open the run at"):
        trainer(logger).fit(Line(), batches(1))


def test_r21_training_goes_on_when_the_run_disappears(root: Path) -> None:
    class Vandal(pl.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            shutil.rmtree(root, ignore_errors=True)

    job = trainer(KohakuBoardLogger(), callbacks=[Vandal()])
    job.fit(Line(), batches(3))
    assert job.global_step == 6


def test_r48_the_other_copy_of_lightning_takes_the_same_class(only_run: ReadRun) -> None:
    other = pytest.importorskip("pytorch_lightning")
    fabric = pytest.importorskip("lightning_fabric")
    logger = KohakuBoardLogger()
    for copy_of_it in (other.loggers, fabric.loggers, pl.loggers):
        assert isinstance(logger, copy_of_it.Logger)
    job = other.Trainer(
        logger=logger, max_steps=1, accelerator="cpu", enable_progress_bar=False, barebones=False
    )
    assert job.log_dir == logger.log_dir
    fabric.Fabric(loggers=logger, accelerator="cpu").log("loss", torch.tensor(0.5), step=3)
    logger.finalize("success")
    assert steps(only_run(), "loss") == [3]
