"""Train a tiny language model with transformers' Trainer, or in a loop with Accelerate, and end as it is told."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments, set_seed

import kohakuboard  # noqa: F401  (makes the name known, also in a checkout that is not installed)
from tests.conformance.jobs.ways_to_end import end

ENDING_STEP = 3


class Ending(TrainerCallback):
    """End in the midst of training, after its third step was logged."""

    def __init__(self, way: str, pause_s: float) -> None:
        self._way, self._pause_s = way, pause_s

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        time.sleep(self._pause_s)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        Path("progress").write_text(str(state.global_step))
        if state.global_step == ENDING_STEP:
            end(self._way)


def last_whole_checkpoint(output: Path) -> str | None:
    """Return the newest checkpoint that was not torn by a kill: its trainer_state.json is written last."""
    for folder in sorted(output.glob("checkpoint-*"), key=lambda path: -int(path.name.rpartition("-")[2])):
        try:
            json.loads((folder / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        return str(folder)
    return None


def train_with_trainer(options: argparse.Namespace) -> None:
    """Train, and go on from the last checkpoint if there is one."""
    set_seed(0)
    tokens = torch.randint(0, 16, (64, 6))
    shape = GPT2Config(
        vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
    )
    arguments = TrainingArguments(
        output_dir=options.out,
        max_steps=options.steps,
        per_device_train_batch_size=2,
        logging_steps=1,
        save_strategy="steps" if options.save_steps else "no",
        save_steps=options.save_steps or 500,
        save_total_limit=3,
        report_to="kohakuboard",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=GPT2LMHeadModel(shape),
        args=arguments,
        train_dataset=[{"input_ids": row, "labels": row} for row in tokens],
    )
    trainer.add_callback(Ending(options.end, options.pause))  # last: what it ends was logged
    trainer.train(resume_from_checkpoint=last_whole_checkpoint(Path(options.out)))


def train_with_accelerate(options: argparse.Namespace) -> None:
    """Train a weight in a loop."""
    accelerator = Accelerator(cpu=True, log_with="kohakuboard")
    accelerator.init_trackers("job", config=vars(options))
    weight = torch.nn.Parameter(torch.zeros(()))
    steps: Any = list(range(1, options.steps + 1))
    optimizer, steps = accelerator.prepare(
        torch.optim.SGD([weight], lr=0.1), torch.utils.data.DataLoader(steps)
    )
    for step in map(int, steps):
        loss = (weight - 1) ** 2
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.log({"train/loss": loss.item()}, step=step)
        if step == ENDING_STEP:
            end(options.end)
    accelerator.end_training()


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--framework", choices=["transformers", "accelerate"], default="transformers")
    parser.add_argument("--end", default="")
    parser.add_argument("--out", default="out")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--save-steps", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds after each step")
    options = parser.parse_args()
    train_with_trainer(options) if options.framework == "transformers" else train_with_accelerate(options)


if __name__ == "__main__":
    main()
