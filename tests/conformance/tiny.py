"""A Trainer of transformers that is quick, for tests: a language model of some hundred weights, and random tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from kohakuboard.reader import Run

__all__ = ["points", "sentences", "tiny_model", "tiny_trainer"]

SHAPE = GPT2Config(
    vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
)


def tiny_model() -> GPT2LMHeadModel:
    """Return an untrained model."""
    return GPT2LMHeadModel(SHAPE)


def sentences(count: int) -> list[dict[str, torch.Tensor]]:
    """Return examples of 6 tokens, the same ones each time."""
    tokens = torch.randint(0, 16, (count, 6), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in tokens]


def tiny_trainer(
    directory: Path, *callbacks: Any, model: Any = None, kind: type[Trainer] = Trainer, **options: Any
) -> Trainer:
    """Return a Trainer of 4 steps that logs and evaluates at each second one."""
    settings: dict[str, Any] = {
        "max_steps": 4,
        "per_device_train_batch_size": 2,
        "logging_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    makes_model: dict[str, Any] = (
        {"model_init": tiny_model} if model is None and "model_init" in options else {}
    )
    options.pop("model_init", None)
    return kind(
        model=None if makes_model else model if model is not None else tiny_model(),
        args=TrainingArguments(output_dir=str(directory / "out"), **{**settings, **options}),
        train_dataset=sentences(8),
        eval_dataset=sentences(4),
        callbacks=[*callbacks],
        **makes_model,
    )


def points(run: Run, metric: str) -> list[tuple[int, float]]:
    """Return the points of a metric: steps and values."""
    series = run.series(metric)
    return [(int(step), float(value)) for step, value in zip(series.step, series.value, strict=True)]
