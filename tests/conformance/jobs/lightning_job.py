"""Train a small model with Lightning, and end in the way that the command line says."""

from __future__ import annotations

import argparse

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from kohakuboard.lightning import KohakuBoardLogger

ENDING_STEP = 7


class Line(pl.LightningModule):
    def __init__(self, end: str) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        if self.global_step == ENDING_STEP:
            self.end()
        loss = nn.functional.mse_loss(self.layer(batch[0]), 3 * batch[0] + 1)
        self.log("train/loss", loss)
        self.log("train/step", float(self.global_step))
        print(f"logged {self.global_step}", flush=True)
        return loss

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = nn.functional.mse_loss(self.layer(batch[0]), 3 * batch[0] + 1)
        self.log("test/loss", loss, sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def end(self) -> None:
        if self.hparams["end"] == "error":
            raise ValueError("the loss exploded")
        if self.hparams["end"] == "error on rank 1" and self.global_rank == 1:
            raise ValueError("rank 1 exploded")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--end", default="success")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--devices", type=int, default=1)
    options = parser.parse_args()
    data = DataLoader(TensorDataset(torch.linspace(-1, 1, 40).reshape(-1, 1)), batch_size=4)
    trainer = pl.Trainer(
        logger=KohakuBoardLogger(project="job", name="line", config={"world": options.devices}),
        max_steps=options.steps,
        max_epochs=-1,
        accelerator="cpu",
        devices=options.devices,
        strategy=options.strategy,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    model = Line(options.end)
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)


if __name__ == "__main__":
    main()
