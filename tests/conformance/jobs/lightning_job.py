"""Train a small model with Lightning, and end in the way that the command line says.

With --save-steps it keeps checkpoints, and goes on from the last one if there is one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from kohakuboard.lightning import KohakuBoardCallback, KohakuBoardLogger
from tests.conformance.jobs.ways_to_end import end

ENDING_STEP = 7


class Line(pl.LightningModule):
    def __init__(self, end: str, pause: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        Path("progress").write_text(str(self.global_step))
        time.sleep(self.hparams["pause"])
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
        end(self.hparams["end"])
        if self.hparams["end"] == "error on rank 1" and self.global_rank == 1:
            raise ValueError("rank 1 exploded")


def kept(save_steps: int) -> dict[str, Any]:
    """Return the options of a Trainer that keeps checkpoints in ./kept, if that is asked for."""
    if not save_steps:
        return {"enable_checkpointing": False}
    saving = ModelCheckpoint("kept", save_last=True, every_n_train_steps=save_steps)
    return {"callbacks": [saving, KohakuBoardCallback(every_n_steps=1)]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--end", default="success")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that load the data")
    parser.add_argument("--touch", action="store_true", help="open the run before training")
    parser.add_argument("--save-steps", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each step")
    options = parser.parse_args()
    torch.manual_seed(0)
    # Each batch is the same one: Lightning begins an epoch anew that it goes on with.
    data = DataLoader(
        TensorDataset(torch.linspace(-1, 1, 4).repeat(10).reshape(-1, 1)), 4, num_workers=options.workers
    )
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
        **kept(options.save_steps),
    )
    if options.touch:
        trainer.logger.experiment.log({"touched": 1.0}, step=0)  # type: ignore[union-attr]
    model = Line(options.end, options.pause)
    trainer.fit(model, data, ckpt_path="last" if options.save_steps else None)
    # Before Lightning 2.4 `fit` returns after Ctrl-C, and a test would end the run well.
    if not trainer.interrupted:
        trainer.test(model, data, verbose=False)


if __name__ == "__main__":
    main()
