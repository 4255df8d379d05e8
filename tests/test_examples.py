"""The examples run as they are shown, and what they logged can be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard.reader import Run, Workspace
from tests.installation import run as run_command

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
    # TRL 1.16 asks transformers 5.23 for what it has renamed.
    assert "Warning" not in done.stderr.replace("FutureWarning: `is_gradient_checkpointing`", "")
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
    for metric in ("train/loss", "train/acc"):
        assert list(run.series(metric).step) == list(range(15 * 22)), metric
    assert list(run.series("lr/AdamW").step) == list(range(0, 15 * 22, 11))
    for histogram in ("grad/layers.0.weight", "param/layers.0.weight"):
        assert run.histograms(histogram).step.tolist() == list(range(0, 15 * 22, 11))
    assert "throughput/samples_per_s" in run.metrics
    samples = run.table("samples")
    assert (samples.columns, len(samples.rows)) == (["input", "label", "taken for", "certainty"], 24)
    assert samples.rows[0][0].kind == "image"
    assert list(run.series("val/acc").step) == list(range(21, 15 * 22, 22))
    assert (run.path / "checkpoints" / "best.ckpt").is_file()
    assert {"width", "dropout", "lr", "batch_size", "seed"} <= set(run.config)


def test_accelerate_loop_learns_and_logs_each_step(tmp_path: Path) -> None:
    run = run_example("accelerate_loop.py", "--epochs", "3", root=tmp_path)
    assert (run.name, run.project) == ("two-layers", "digits")
    assert list(run.series("train/loss").step) == list(range(3 * 23))
    assert run.series("val/acc").step.tolist() == [22, 45, 68]
    assert run.summary["val/acc"] > 0.8
    assert {"lr", "batch_size", "processes"} <= set(run.config)
    assert len(run.media("mistakes", 68)) == 8


@pytest.mark.slow
def test_rich_data_logs_each_kind_of_value_at_its_steps(tmp_path: Path) -> None:
    run = run_example("rich_data.py", root=tmp_path)
    epochs = list(range(23, 20 * 23 + 1, 23))
    assert run.summary["best_acc"] > 0.9
    assert list(run.series("train/loss").step) == list(range(1, 20 * 23 + 1))
    assert run.histograms("grad/scores.weight").step.tolist() == list(range(20, 20 * 23 + 1, 20))
    assert run.histograms("val/certainty").step.tolist() == epochs
    assert [density.step for density in run.densities("val/certainty_density")] == epochs
    assert {tensor.shape for tensor in run.tensors("embedding")} == {(360, 16)}
    mistakes = run.media("mistakes", epochs[0])
    assert "taken for" in (mistakes[0].caption or "")
    assert mistakes[0].boxes
    assert run.table("mistakes_table", epochs[0]).rows[0][0].kind == "image"
    confusion = run.table("confusion_table", epochs[-1]).rows
    assert sum(map(sum, confusion)) == 360
    assert [figure.step for figure in run.figures("confusion")] == epochs
    assert [(entry.kind, entry.mime) for name in ("digits", "beep") for entry in run.media(name)] == [
        ("image", "image/gif"),
        ("audio", "audio/wav"),
    ]
    assert "misread" in run.text("report")[0].text
    (model,) = run.artifacts
    assert (model.name, model.type, "best" in model.aliases) == ("digits-model", "model", True)
    assert "val/acc" in "".join(line.text for line in run.console())


@pytest.mark.slow
def test_hf_trainer_learns_and_writes_samples(tmp_path: Path) -> None:
    run = run_example(
        "hf_trainer.py", "--steps", "40", "--out", str(tmp_path / "out"), root=tmp_path / "runs"
    )
    assert (run.name, run.project, run.tags) == ("small-gpt2", "stdlib", ["example"])
    loss = run.series("train/loss")
    assert loss.step.tolist() == [10, 20, 30, 40]
    assert loss.value[-1] < loss.value[0] - 0.5
    assert run.series("eval/loss").step.tolist() == [10, 20, 30, 40]
    samples = run.text("sample")
    assert [sample.step for sample in samples] == [10, 20, 30, 40]
    assert all(sample.text.startswith("def ") for sample in samples)
    assert run.config["model_parameters"] > 100_000


@pytest.mark.slow
def test_hf_unmodified_is_logged_by_its_command_line_alone(tmp_path: Path, installed: Path) -> None:
    example = REPOSITORY / "examples" / "hf_unmodified.py"
    command: list[str | Path] = [
        installed / "python", example, "--output_dir", "out", "--report_to", "kohakuboard", "--max_steps", "40",
        "--learning_rate", "2e-3", "--logging_steps", "10", "--eval_strategy", "steps", "--eval_steps", "20",
        "--save_strategy", "no", "--use_cpu", "--disable_tqdm", "True",
    ]  # fmt: skip
    run_command(*command, cwd=tmp_path, KOHAKUBOARD_DIR=str(tmp_path / "runs"))
    (run,) = Workspace(tmp_path / "runs").runs()
    assert run.status == "finished"
    assert run.series("train/loss").step.tolist() == [10, 20, 30, 40]
    assert run.series("eval/accuracy").step.tolist() == [20, 40, 40]
    assert run.series("test/accuracy").step.tolist() == [40]
    words = example.read_text().replace("--report_to kohakuboard", "").replace("kobo open", "").lower()
    assert "kohakuboard" not in words


@pytest.mark.slow
def test_trl_grpo_learns_and_keeps_what_is_written(tmp_path: Path) -> None:
    run = run_example("trl_grpo.py", "--steps", "20", "--out", str(tmp_path / "out"), root=tmp_path / "runs")
    reward = run.series("train/rewards/share_of_a/mean")
    assert reward.step.tolist() == [5, 10, 15, 20]
    assert reward.value[-1] > reward.value[0] + 0.2
    tables = run.tables()
    assert [(table.name, table.step) for table in tables] == [
        ("train/completions", s) for s in (5, 10, 15, 20)
    ]
    assert "share_of_a" in run.table("train/completions", 20).columns
