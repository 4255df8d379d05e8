"""Lightning with one logger after another, see turns.py."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.benchmarks.adapters.turns import WARM_UP, Meter, Spent, take_turns


class Line(pl.LightningModule):
    """Learn next to nothing; log three metrics a step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = self.layer(batch[0]).square().mean()
        self.log_dict({"train/loss": loss, "train/double": 2 * loss, "train/index": float(batch_idx)})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def logger(name: str, directory: Path) -> Any:
    """Return a logger of that name; False for none."""
    if name == "kohakuboard":
        from kohakuboard.lightning import KohakuBoardLogger

        return KohakuBoardLogger(save_dir=directory, capture_output=False)
    if name == "csv":
        from lightning.pytorch.loggers import CSVLogger

        return CSVLogger(directory)
    if name == "tensorboard":
        from lightning.pytorch.loggers import TensorBoardLogger

        return TensorBoardLogger(directory)
    return False


def train(name: str, steps: int, directory: Path) -> Spent:
    """Return what all steps but the first WARM_UP took."""
    meter = Meter()

    class Clock(pl.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, out: Any, batch: Any, index: int) -> None:
            if index == WARM_UP:
                meter.begin()

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            meter.end_steps()

    chosen = logger(name, directory)
    if chosen:
        meter.watch(chosen, ("log_metrics", "save"))
    data = DataLoader(TensorDataset(torch.ones(steps, 4)), batch_size=1)
    pl.Trainer(
        logger=chosen,
        callbacks=[Clock()],
        max_epochs=1,
        log_every_n_steps=1,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    ).fit(Line(), data)
    return meter.spent()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    take_turns(train)
