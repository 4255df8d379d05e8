"""Trainer of transformers with one callback after another, see turns.py."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from tests.benchmarks.adapters.turns import WARM_UP, Meter, Spent, take_turns


class Line(torch.nn.Module):
    """Learn next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return a loss."""
        found = self.layer(x)
        return {"loss": (found - labels).square().mean(), "logits": found}


class Clock(TrainerCallback):
    """Measure all steps but the first WARM_UP."""

    def __init__(self) -> None:
        self.meter = Meter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin after the WARM_UP."""
        if state.global_step == WARM_UP:
            self.meter.begin()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the time before the run ends."""
        self.meter.end_steps()


def train(name: str, steps: int, directory: Path) -> Spent:
    """Return what all steps but the first WARM_UP took."""
    os.environ["KOHAKUBOARD_DIR"] = os.environ["TENSORBOARD_LOGGING_DIR"] = str(directory)
    clock = Clock()
    data = [{"x": torch.ones(4), "labels": torch.ones(1)}] * steps
    arguments = TrainingArguments(
        output_dir=str(directory),
        num_train_epochs=1,
        per_device_train_batch_size=1,
        logging_steps=1,
        save_strategy="no",
        report_to=name,
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    job = Trainer(model=Line(), args=arguments, train_dataset=data, callbacks=[clock])
    # It prints each log.
    job.pop_callback(next(c for c in job.callback_handler.callbacks if type(c).__name__ == "PrinterCallback"))
    for callback in job.callback_handler.callbacks:
        if type(callback).__name__ in ("KohakuBoardCallback", "TensorBoardCallback"):
            clock.meter.watch(callback, ("on_log", "on_step_begin", "on_step_end"))
    job.train()
    return clock.meter.spent()


if __name__ == "__main__":
    import kohakuboard  # noqa: F401  # makes the name known where no .pth file did

    warnings.simplefilter("ignore")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    take_turns(train)
