"""The examples run as they are shown, and what they logged can be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard.reader import Run, Workspace

REPOSITORY = Path(__file__).parents[1]


def run_example(name: str, *arguments: str, root: Path) -> Run:
    """Run an example in a process of its own, and return the run that it made."""
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "integrations")])
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / name), "--dir", str(root), *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    (run,) = Workspace(root).runs()
    assert run.status == "finished"
    return run


def test_quickstart_learns_and_logs_each_step(tmp_path: Path) -> None:
    run = run_example("quickstart.py", "--steps", "600", root=tmp_path)
    loss = run.series("train/loss")
    assert list(loss.step) == list(range(600))
    assert loss.value[-50:].mean() < loss.value[:50].mean() / 2
    assert run.summary["val/acc"] > 0.8
    assert run.config["steps"] == 600
    assert len(run.histograms("weights/hidden").step) == 12


@pytest.mark.slow
def test_lightning_digits_learns_and_logs_each_step(tmp_path: Path) -> None:
    run = run_example("lightning_digits.py", root=tmp_path)
    assert (run.name, run.project) == ("small-cnn", "digits")
    assert run.summary["val/acc"] >= 0.95
    for metric in ("train/loss", "train/acc", "lr"):
        assert list(run.series(metric).step) == list(range(15 * 22)), metric
    assert list(run.series("val/acc").step) == list(range(21, 15 * 22, 22))
    assert (run.path / "checkpoints" / "best.ckpt").is_file()
    assert {"width", "dropout", "lr", "batch_size", "seed"} <= set(run.config)
