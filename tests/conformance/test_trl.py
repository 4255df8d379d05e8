"""TRL's trainers log by their `report_to` alone, and what GRPO and Distillation write becomes tables."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from datasets import Dataset

from kohakuboard import Board  # the import makes the name known, also in a checkout that is not installed
from kohakuboard.reader import Run, Workspace
from kohakuboard_transformers.completions import Completions
from tests.conformance.tiny import points
from tests.conformance.tiny_chat import letter_model, letter_tokenizer
from tests.installation import run as run_command

ReadRun = Callable[[], Run]

pytestmark = [
    pytest.mark.slow,
    # TRL's own use of what transformers and torch have renamed.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SETTINGS: dict[str, Any] = {
    "max_steps": 3,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 2,
    "logging_steps": 1,
    "eval_strategy": "steps",
    "eval_steps": 2,
    "report_to": "kohakuboard",
    "use_cpu": True,
    "bf16": False,
    "disable_tqdm": True,
    "save_strategy": "no",
}
PROMPTS = {"prompt": ["abc "] * 4}


def count_a(completions: list[str], **kwargs: Any) -> list[float]:
    return [float(text.count("a")) for text in completions]


def nothing(completions: list[str], **kwargs: Any) -> list[None]:
    return [None] * len(completions)


def trained(trainer: Any, config: Any, data: dict[str, Any], *models: Any, **options: Any) -> Any:
    """Return a trainer of TRL that has trained and evaluated on the same examples."""
    given = {name: options.pop(name) for name in ("reward_funcs", "callbacks") if name in options}
    examples = Dataset.from_dict(data)
    job = trainer(
        *models,
        args=config("out", **SETTINGS, **options),
        train_dataset=examples,
        eval_dataset=examples,
        processing_class=letter_tokenizer(),
        **given,
    )
    job.train()
    return job


def steps_of_tables(run: Run) -> dict[str, list[int]]:
    """Return at which steps there is a table, by name; twice where there are two."""
    steps = defaultdict(list)
    for table in run.tables():
        steps[table.name].append(table.step)
    return dict(steps)


def test_r33_sft_needs_nothing_but_the_name(root: Path, only_run: ReadRun) -> None:
    from trl import SFTConfig, SFTTrainer

    trained(SFTTrainer, SFTConfig, {"text": ["abc abc"] * 4}, letter_model())
    run = only_run()
    assert run.status == "finished"
    for name in ("train/loss", "train/mean_token_accuracy"):
        assert [step for step, _ in points(run, name)] == [1, 2, 3]
    assert [step for step, _ in points(run, "eval/loss")] == [2, 3]
    assert (run.config["packing"], run.config["model"]["n_embd"]) == (False, 8)


def test_r33_dpo_keeps_the_names_of_its_metrics(root: Path, only_run: ReadRun) -> None:
    from trl import DPOConfig, DPOTrainer

    pairs = {**PROMPTS, "chosen": ["abc"] * 4, "rejected": ["hhh"] * 4}
    trained(DPOTrainer, DPOConfig, pairs, letter_model(), letter_model())
    for name in ("train/rewards/margins", "train/rewards/accuracies", "train/logps/chosen"):
        assert [step for step, _ in points(only_run(), name)] == [1, 2, 3]
    assert [step for step, _ in points(only_run(), "eval/rewards/margins")] == [2, 3]


def test_r33_r64_grpo_makes_a_table_of_completions_for_each_log(root: Path, only_run: ReadRun) -> None:
    from transformers.integrations.integration_utils import rewrite_logs
    from trl import GRPOConfig, GRPOTrainer

    job = trained(
        GRPOTrainer, GRPOConfig, PROMPTS, letter_model(),
        reward_funcs=[count_a, nothing], num_generations=2, max_completion_length=8, log_completions=True,
    )  # fmt: skip
    run = only_run()
    # The last entry has the figures of the whole training, which go to the summary.
    logged: set[str] = set()
    for log in job.state.log_history[:-1]:
        numbers = {name: value for name, value in log.items() if value is not None and name != "step"}
        logged |= set(rewrite_logs(numbers))  # type: ignore[no-untyped-call]
    assert set(run.metrics) == logged
    assert "train/rewards/count_a/mean" in logged
    assert steps_of_tables(run) == {"train/completions": [1, 2, 3], "eval/completions": [2, 3]}
    table = run.table("train/completions", 2)
    assert table.columns == ["step", "prompt", "completion", "count_a", "nothing", "advantage"]
    assert [(row[0], row[1]) for row in table.rows] == [(2, "abc ")] * 2
    rewards = [row[3] for row in table.rows]
    assert rewards == count_a([row[2] for row in table.rows])
    ((_, mean),) = [point for point in points(run, "train/rewards/count_a/mean") if point[0] == 2]
    assert mean == pytest.approx(sum(rewards) / 2)


def test_r64_distillation_makes_a_table_of_completions_for_each_log(root: Path, only_run: ReadRun) -> None:
    from trl import DistillationConfig, DistillationTrainer

    trained(
        DistillationTrainer, DistillationConfig, PROMPTS, letter_model(), letter_model(),
        max_completion_length=8, log_completions=True,
    )  # fmt: skip
    run = only_run()
    assert steps_of_tables(run) == {"train/completions": [1, 2, 3], "eval/completions": [2, 3]}
    assert run.table("eval/completions", 3).columns == ["step", "prompt", "completion"]


def test_r64_a_file_that_cannot_be_read_costs_a_warning(
    root: Path, only_run: ReadRun, caplog: pytest.LogCaptureFixture
) -> None:
    completions, folder = Completions(), Path("out/completions")
    completions.begin("out")
    folder.mkdir(parents=True)
    with Board() as board:
        for step, content in enumerate([b"PAR1", _parquet({"completion": ["a"]})]):
            (folder / f"completions_{step:05d}.parquet").write_bytes(content)
            completions.log_new(board)
    assert steps_of_tables(only_run()) == {"train/completions": [1]}
    assert caplog.text.count("completions_00000.parquet were not logged") == 1


def _parquet(columns: dict[str, Any]) -> bytes:
    file = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), file)
    content: bytes = file.getvalue().to_pybytes()
    return content


def test_r57_trl_sft_is_an_unmodified_command_line(installed: Path, tmp_path: Path) -> None:
    letter_model().save_pretrained(tmp_path / "model")
    letter_tokenizer().save_pretrained(tmp_path / "model")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("\n".join([json.dumps({"text": "abc abc"})] * 8))
    run_command(
        installed / "python", Path(sys.executable).with_name("trl"), "sft", "--model_name_or_path", "model",
        "--dataset_name", "data", "--report_to", "kohakuboard", "--max_steps", "3", "--logging_steps", "1",
        "--use_cpu", "--bf16", "False", "--output_dir", "out", "--save_strategy", "no",
        cwd=tmp_path, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hub"), OMP_NUM_THREADS="1",
    )  # fmt: skip
    (run,) = Workspace(tmp_path / "kohakuboard").runs()
    assert run.status == "finished"
    assert [step for step, _ in points(run, "train/loss")] == [1, 2, 3]
