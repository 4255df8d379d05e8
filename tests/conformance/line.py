"""A LightningModule that is quick, for tests: it fits a line."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from kohakuboard.reader import Run

__all__ = ["Line", "batches", "points", "steps", "trainer"]


class Line(pl.LightningModule):
    """Fit y = 3 x + 1, logging in each of the ways that Lightning has."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(1, 1)

    def loss(self, batch: list[Tensor]) -> Tensor:
        return nn.functional.mse_loss(self.layer(batch[0]), 3 * batch[0] + 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        self.log("train/nan", float("nan"))
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch), on_step=True, on_epoch=True)

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test/loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


def batches(count: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.linspace(-1, 1, 4 * count).reshape(-1, 1)), batch_size=4)


def trainer(logger: Any, **options: Any) -> pl.Trainer:
    settings: dict[str, Any] = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "log_every_n_steps": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return pl.Trainer(logger=logger, **{**settings, **options})


def steps(run: Run, metric: str) -> list[int]:
    return [int(step) for step in run.series(metric).step]


def points(run: Run, metric: str) -> list[tuple[int, float]]:
    series = run.series(metric)
    return [(int(step), float(value)) for step, value in zip(series.step, series.value, strict=True)]
