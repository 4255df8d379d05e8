"""Train a tiny language model with transformers' Trainer, and end in the way that the command line says."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from kohakuboard.transformers import KohakuBoardCallback


class Failing(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise ValueError("the loss exploded")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fail", action="store_true")
    options = parser.parse_args()
    set_seed(0)
    tokens = torch.randint(0, 16, (8, 6))
    trainer = Trainer(
        model=GPT2LMHeadModel(
            GPT2Config(
                vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
            )
        ),
        args=TrainingArguments(
            output_dir="out",
            max_steps=4,
            per_device_train_batch_size=2,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=[{"input_ids": row, "labels": row} for row in tokens],
        callbacks=[KohakuBoardCallback(project="job"), *([Failing()] if options.fail else [])],
    )
    trainer.train()


if __name__ == "__main__":
    main()
