"""Train a small GPT-2 on the text of Python's own standard library, letter by letter, with transformers' Trainer.

    pip install "kohakuboard[transformers]"
    python examples/hf_trainer.py
    kobo open

Nothing is downloaded: the weights begin random. The loss falls from 4.9, which is guessing, to about 2.3, and what is
written comes to have the shape of words. It takes about 40 seconds of one core.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from kohakuboard import Text
from kohakuboard.transformers import KohakuBoardCallback

LETTERS = 128  # those of ASCII; any other is a "?"
LENGTH = 64
PROMPT = "def "


class StandardLibrary(Dataset[dict[str, Tensor]]):
    """Pieces of LENGTH letters of the modules from `first` on, each `every`-th one."""

    def __init__(self, first: int, every: int, most: int) -> None:
        folder = Path(os.__file__).parent
        modules = sorted(folder.glob("*.py"))[first::every]
        text = "".join(module.read_text(errors="replace") for module in modules).encode("ascii", "replace")
        letters = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
        self.pieces = letters[: len(letters) // LENGTH * LENGTH].reshape(-1, LENGTH)
        self.pieces = self.pieces[torch.randperm(len(self.pieces))[:most]]

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"input_ids": self.pieces[index], "labels": self.pieces[index]}


class Samples(TrainerCallback):
    """Let the model write after each evaluation, and log that beside the metrics, to the same run."""

    def __init__(self, kohakuboard: KohakuBoardCallback) -> None:
        self.kohakuboard = kohakuboard

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log a text that begins with PROMPT."""
        board, model = self.kohakuboard.board, kwargs["model"]
        if board is not None:  # on the process of rank 0
            prompt = torch.tensor([[ord(letter) for letter in PROMPT]], device=model.device)
            written = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=True, top_k=10)
            text = "".join(chr(letter) for letter in written[0].tolist())
            board.log({"sample": Text(text)}, step=state.global_step)


def small_gpt2() -> GPT2LMHeadModel:
    """Return a model of 110 000 random weights that writes 60 letters when it is asked for text."""
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=LETTERS,
            n_positions=LENGTH,
            n_embd=64,
            n_layer=2,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    model.generation_config.max_new_tokens = LENGTH - len(PROMPT)
    model.generation_config.pad_token_id = 0
    return model


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument(
        "--dir", type=Path, help="where runs lie; default $KOHAKUBOARD_DIR, else ./kohakuboard"
    )
    parser.add_argument("--out", default="hf_trainer", help="where checkpoints lie; go on from the last one")
    options = parser.parse_args()
    set_seed(0)
    # For a model this small, threads wait for each other longer than they work, and the more so on a busy machine.
    torch.set_num_threads(1)
    arguments = TrainingArguments(
        output_dir=options.out,
        run_name="small-gpt2",
        max_steps=options.steps,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=64,
        learning_rate=5e-3,
        warmup_steps=options.steps // 20,
        lr_scheduler_type="cosine",
        logging_steps=10,
        eval_strategy="steps",
        eval_steps=options.steps // 4,
        save_steps=options.steps // 4,
        save_total_limit=2,
        dataloader_pin_memory=False,
        disable_tqdm=True,
    )
    kohakuboard = KohakuBoardCallback(project="stdlib", base_dir=options.dir, tags=["example"])
    trainer = Trainer(
        model=small_gpt2(),
        args=arguments,
        train_dataset=StandardLibrary(0, 1, most=20_000),
        eval_dataset=StandardLibrary(5, 10, most=256),
        callbacks=[kohakuboard, Samples(kohakuboard)],
    )
    # After a crash the same command goes on with the same run, as its next attempt.
    trainer.train(resume_from_checkpoint=any(Path(options.out).glob("checkpoint-*")))


if __name__ == "__main__":
    main()
