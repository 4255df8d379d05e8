"""Lightning with several loggers in turns, see turns.py."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.benchmarks.adapters.turns import Turns, take_turns


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


class Turn(pl.Callback):
    """Give the trainer the logger whose turn it is."""

    def __init__(self, loggers: dict[str, Any], turns: Turns) -> None:
        self._loggers, self._turns = loggers, turns

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        name = self._turns.next_step()
        if name is not None:
            trainer.loggers = [self._loggers[name]] if name in self._loggers else []
            self._turns.begin()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        trainer.loggers = list(self._loggers.values())


def logger(name: str, directory: Path) -> Any:
    """Return a logger of that name."""
    if name == "kohakuboard":
        from kohakuboard.lightning import KohakuBoardLogger

        return KohakuBoardLogger(save_dir=directory, capture_output=False)
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    return {"csv": CSVLogger, "tensorboard": TensorBoardLogger}[name](directory)


def train(names: list[str], turns: Turns, directory: Path) -> None:
    """Train with these loggers."""
    loggers = {name: logger(name, directory / name) for name in names}
    for one in loggers.values():
        turns.watch(one, ("log_metrics", "save"))
    data = DataLoader(TensorDataset(torch.ones(turns.steps, 4)), batch_size=1)
    pl.Trainer(
        logger=list(loggers.values()),
        callbacks=[Turn(loggers, turns)],
        max_epochs=1,
        log_every_n_steps=1,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    ).fit(Line(), data)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    take_turns(train)
