"""Trainer of transformers with several callbacks in turns, see turns.py."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from tests.benchmarks.adapters.turns import Turns, take_turns

CALLBACKS = {"kohakuboard": "KohakuBoardCallback", "tensorboard": "TensorBoardCallback"}


class Line(torch.nn.Module):
    """Learn next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return a loss."""
        found = self.layer(x)
        return {"loss": (found - labels).square().mean(), "logits": found}


class Turn(TrainerCallback):
    """Let the callback whose turn it is hear of the training."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._handler: Any = None
        self._all: list[Any] = []

    def attend(self, job: Trainer) -> None:
        """Take over a trainer's callbacks."""
        self._handler = job.callback_handler
        self._all = self._handler.callbacks

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Give the turn to the next one."""
        name = self._turns.next_step()
        if name is not None:
            others = set(CALLBACKS.values()) - {CALLBACKS.get(name)}
            self._handler.callbacks = [one for one in self._all if type(one).__name__ not in others]
            self._turns.begin()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Let all of them hear of the end."""
        self._handler.callbacks = self._all


def train(names: list[str], turns: Turns, directory: Path) -> None:
    """Train with these callbacks."""
    os.environ["KOHAKUBOARD_DIR"] = os.environ["TENSORBOARD_LOGGING_DIR"] = str(directory)
    turn = Turn(turns)
    arguments = TrainingArguments(
        output_dir=str(directory),
        num_train_epochs=1,
        per_device_train_batch_size=1,
        logging_steps=1,
        save_strategy="no",
        report_to=names,
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    data = [{"x": torch.ones(4), "labels": torch.ones(1)}] * turns.steps
    job = Trainer(model=Line(), args=arguments, train_dataset=data, callbacks=[turn])
    # It prints each log.
    job.pop_callback(next(c for c in job.callback_handler.callbacks if type(c).__name__ == "PrinterCallback"))
    for callback in job.callback_handler.callbacks:
        if type(callback).__name__ in CALLBACKS.values():
            turns.watch(callback, ("on_log", "on_step_begin", "on_step_end"))
    turn.attend(job)
    job.train()


if __name__ == "__main__":
    import kohakuboard  # noqa: F401  # makes the name known where no .pth file did

    warnings.simplefilter("ignore")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    take_turns(train)
