"""Teach a tiny BERT to tell whether brackets match, in a script that knows of no experiment tracker.

    python examples/hf_unmodified.py --output_dir brackets --report_to kohakuboard --max_steps 200 \
        --learning_rate 2e-3 --logging_steps 20 --eval_strategy steps --eval_steps 100
    kobo open

All of its options are those of transformers' TrainingArguments.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    EvalPrediction,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
    set_seed,
)

LENGTH = 12


def matches(brackets: str) -> bool:
    """Tell whether each bracket that opens is closed, and none before."""
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket == "(" else -1
        if depth < 0:
            return False
    return depth == 0


def examples(count: int) -> list[dict[str, Any]]:
    """Return rows of brackets, as numbers; about half of them match."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        half = ["("] * (LENGTH // 2) + [")"] * (LENGTH // 2)
        brackets = "".join(random.sample(half, LENGTH))
        if matches(brackets) or random.random() < 0.2:
            found.append(
                {"input_ids": [1 + "()".index(one) for one in brackets], "labels": int(matches(brackets))}
            )
    return found


def accuracy(outcome: EvalPrediction) -> dict[str, float]:
    """Return how many were told rightly."""
    return {"accuracy": float(np.mean(np.argmax(outcome.predictions, axis=-1) == outcome.label_ids))}


def main() -> None:
    """Train, evaluate and predict, as the command line says."""
    (arguments,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()  # type: ignore[arg-type]
    # For a model this small, threads wait for each other longer than they work, and the more so on a busy machine.
    torch.set_num_threads(1)
    set_seed(arguments.seed)
    random.seed(arguments.seed)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=3, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
        )
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=examples(4000),
        eval_dataset=examples(500),
        compute_metrics=accuracy,
    )
    trainer.train()
    trainer.evaluate()
    trainer.predict(examples(500))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
