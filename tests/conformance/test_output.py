"""Each adapter hands on what of the output is to be kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator  # type: ignore[import-untyped]

from kohakuboard.accelerate import KohakuBoardTracker
from kohakuboard.client import CaptureOutput
from kohakuboard.lightning import KohakuBoardLogger
from kohakuboard.reader import Run
from kohakuboard.transformers import KohakuBoardCallback
from tests.conformance.tiny import tiny_trainer


def with_lightning(how: CaptureOutput, say: Callable[[], None], tmp_path: Path) -> None:
    logger = KohakuBoardLogger(capture_output=how)
    logger.log_metrics({"a": 1.0})
    say()
    logger.finalize("success")


def with_accelerate(how: CaptureOutput, say: Callable[[], None], tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True, log_with=KohakuBoardTracker(capture_output=how))
    accelerator.init_trackers("unused")
    say()
    accelerator.end_training()


def with_transformers(how: CaptureOutput, say: Callable[[], None], tmp_path: Path) -> None:
    job = tiny_trainer(tmp_path)
    callback = KohakuBoardCallback(capture_output=how)
    callback.on_train_begin(job.args, job.state, job.control)
    say()
    callback.on_train_end(job.args, job.state, job.control)


@pytest.mark.parametrize("adapter", [with_lightning, with_accelerate, with_transformers])
@pytest.mark.parametrize(
    ("how", "kept"),
    [
        (True, {"printed", "written"}),
        ("fd", {"printed", "written"}),
        ("python", {"printed"}),
        (False, set()),
    ],
)
def test_what_is_printed_is_kept_as_is_asked(
    adapter: Callable[..., None],
    how: CaptureOutput,
    kept: set[str],
    tmp_path: Path,
    only_run: Callable[[], Run],
    capfd: pytest.CaptureFixture[str],
) -> None:
    def say() -> None:
        print("printed", flush=True)
        os.write(1, b"written\n")

    adapter(how, say, tmp_path)
    lines: Any = only_run().console() if kept else []
    assert {line.text for line in lines} & {"printed", "written"} == kept
    assert (only_run().path / "console.log").exists() == bool(kept)
