"""Teach a tiny model to write the letter "a", with TRL's GRPO, and keep what it writes.

    pip install "kohakuboard[transformers]" trl
    python examples/trl_grpo.py
    kobo open

Model and tokenizer are made here, of random weights and eight letters. The reward, the share of "a" in what is written,
climbs from 0.1 to nearly 1 within half a minute on two cores. The run has a table of the completions, with the reward
and advantage of each, for every fifth step: `train/completions`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

import kohakuboard  # noqa: F401  (not needed where it is installed: there report_to knows the name)

LETTERS = "abcdefgh"
TOKENS = ("<pad>", "<eos>", "<unk>", *LETTERS)


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that makes a token of each letter."""
    tokenizer = Tokenizer(WordLevel({token: i for i, token in enumerate(TOKENS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def tiny_model() -> GPT2LMHeadModel:
    """Return an untrained model of some thousand weights."""
    shape = GPT2Config(
        vocab_size=len(TOKENS), n_positions=32, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=1, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(shape)


def share_of_a(completions: list[str], **kwargs: Any) -> list[float | None]:
    """Return how much of each text is the letter "a"."""
    return [text.count("a") / max(len(text), 1) for text in completions]


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument(
        "--dir", type=Path, help="where runs lie; default $KOHAKUBOARD_DIR, else ./kohakuboard"
    )
    parser.add_argument("--out", default="trl_grpo", help="where TRL puts its files")
    options = parser.parse_args()
    if options.dir is not None:
        os.environ["KOHAKUBOARD_DIR"] = str(options.dir)
    # For a model this small, threads wait for each other longer than they work, and the more so on a busy machine.
    torch.set_num_threads(1)
    arguments = GRPOConfig(
        output_dir=options.out,
        report_to="kohakuboard",
        run_name="only-a",
        max_steps=options.steps,
        learning_rate=1e-2,
        per_device_train_batch_size=32,
        num_generations=8,
        max_completion_length=8,
        logging_steps=5,
        log_completions=True,
        num_completions_to_print=2,
        bf16=False,
        activation_checkpointing=False,
        dataloader_pin_memory=False,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=tiny_model(),
        reward_funcs=share_of_a,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": list(LETTERS)}),
        processing_class=letter_tokenizer(),
    )
    trainer.train()


if __name__ == "__main__":
    main()
