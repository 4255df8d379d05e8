"""The adapters where the values lie on a GPU: all kinds are taken, and no log call waits for the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kohakuboard.accelerate import KohakuBoardTracker
from kohakuboard.lightning import KohakuBoardLogger
from kohakuboard.reader import Run
from kohakuboard.transformers import KohakuBoardCallback
from tests.conformance.tiny import tiny_trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

ReadRun = Callable[[], Run]
STEPS = 50
Log = Callable[[dict[str, Any], int], object]


@pytest.fixture
def busy_loss() -> Iterator[torch.Tensor]:
    """Give a scalar whose value is far behind the program. To wait for it raises."""
    loss = torch.zeros((), device="cuda")
    torch.cuda.synchronize()
    yield loss
    torch.cuda.set_sync_debug_mode("default")


def log_each_step(log: Log, loss: torch.Tensor) -> None:
    log({"loss": loss}, 0)  # makes the run, and pins memory
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    for step in range(1, STEPS):
        torch.cuda._sleep(500_000)  # type: ignore[no-untyped-call]
        loss += 1
        weight = torch.ones((), device="cuda", requires_grad=True)
        kinds = {
            "bf16": loss.bfloat16(),
            "one": loss.reshape(1),
            "int": loss.int(),
            "true": loss > 0,
            "grad": weight * 2,
        }
        log({"loss": loss, **kinds, "many": torch.ones(8, device="cuda"), "host": float(step)}, step)
    torch.cuda.set_sync_debug_mode("default")


def check(run: Run, text: str, prefix: str = "") -> None:
    numbers = [float(step) for step in range(STEPS)]
    series = run.series(f"{prefix}loss")
    assert series.step.tolist() == series.value.tolist() == numbers
    for name in ("bf16", "one", "int", "host"):
        assert run.series(prefix + name).value.tolist() == numbers[1:], name
    assert set(run.series(f"{prefix}true").value) == {1.0}
    assert set(run.series(f"{prefix}grad").value) == {2.0}
    assert text.count(f"'{prefix}many'") == 1


def test_r28_r30_r31_lightning(
    only_run: ReadRun, busy_loss: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    logger = KohakuBoardLogger()
    log_each_step(logger.log_metrics, busy_loss)
    logger.finalize("success")
    check(only_run(), caplog.text)


def test_r28_r30_r31_transformers(
    tmp_path: Path, only_run: ReadRun, busy_loss: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    job, callback = tiny_trainer(tmp_path), KohakuBoardCallback()

    def log(values: dict[str, Any], step: int) -> None:
        job.state.global_step = step
        callback.on_log(job.args, job.state, job.control, logs=values)

    log_each_step(log, busy_loss)
    callback.on_train_end(job.args, job.state, job.control)
    check(only_run(), caplog.text, "train/")


def test_r28_r30_r31_accelerate(
    only_run: ReadRun, busy_loss: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = KohakuBoardTracker("mine")
    log_each_step(lambda values, step: tracker.log(values, step=step), busy_loss)
    tracker.finish()
    check(only_run(), caplog.text)
