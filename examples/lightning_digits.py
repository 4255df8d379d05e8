"""Train a small convolutional network on scikit-learn's handwritten digits with Lightning, and log it.

The logger takes what the module logs; the callback beside it adds histograms of gradients and weights, the learning
rate, throughput, and a table of predictions for each epoch.

    pip install "kohakuboard[lightning]" scikit-learn
    python examples/lightning_digits.py
    kobo open

1797 images of 8 x 8 pixels, a fifth of them kept for validation. Well under a minute on two cores.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from kohakuboard.lightning import KohakuBoardCallback, KohakuBoardLogger


class Digits(pl.LightningDataModule):
    """The images as float tensors of shape (1, 8, 8) from 0 to 1, and their labels from 0 to 9."""

    def __init__(self, batch_size: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        """Load and split the images, each digit alike."""
        images, labels = load_digits(return_X_y=True)
        parts = train_test_split(
            torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16,
            torch.tensor(labels),
            test_size=0.2,
            stratify=labels,
            random_state=self.hparams["seed"],
        )
        self.training = TensorDataset(parts[0], parts[2])
        self.validation = TensorDataset(parts[1], parts[3])

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return shuffled batches."""
        return DataLoader(self.training, batch_size=self.hparams["batch_size"], shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return all that is kept for validation, in one batch."""
        return DataLoader(self.validation, batch_size=len(self.validation))


class SmallCNN(pl.LightningModule):
    """Two blocks of convolutions and a linear layer, trained by AdamW on a one-cycle schedule."""

    def __init__(self, width: int = 16, dropout: float = 0.3, lr: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * width * 4, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return scores of shape (images, 10)."""
        scores: Tensor = self.layers(images)
        return scores

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Log loss and accuracy of each batch."""
        loss, accuracy, _ = self._score(batch)
        self.log_dict({"train/loss": loss, "train/acc": accuracy})
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Log loss and accuracy of each epoch; return what the callback shows beside the images."""
        loss, accuracy, scores = self._score(batch)
        self.log_dict({"val/loss": loss, "val/acc": accuracy})
        certainty, taken_for = scores.softmax(1).max(1)
        return {"label": batch[1], "taken for": taken_for, "certainty": certainty}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Raise the learning rate for a third of the steps, then lower it to nothing."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.hparams["lr"],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _score(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        images, labels = batch
        scores = self(images)
        return functional.cross_entropy(scores, labels), (scores.argmax(1) == labels).float().mean(), scores


class OneLineAnEpoch(pl.Callback):
    """Say how it goes, in place of a progress bar."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the epoch's validation figures."""
        if not trainer.sanity_checking:
            metrics = trainer.callback_metrics
            print(
                f"epoch {trainer.current_epoch + 1:2d}/{trainer.max_epochs}"
                f"   val/loss {metrics['val/loss']:.3f}   val/acc {metrics['val/acc']:.1%}"
            )


def be_quiet() -> None:
    """Leave out what Lightning says about hardware, other products and worker processes."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # The whole data set is in memory: a worker process would only slow it down.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Lightning 2.6 with a newer PyTorch; nothing that a user can change.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")


def train(epochs: int, directory: str | None) -> dict[str, Any]:
    """Train, and return the last metrics."""
    pl.seed_everything(0, verbose=False)
    # For a model this small, threads wait for each other longer than they work, and the more so on a busy machine.
    torch.set_num_threads(1)
    logger = KohakuBoardLogger(
        name="small-cnn", project="digits", save_dir=directory, tags=["example", "lightning", "cnn"]
    )
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=logger,
        callbacks=[
            KohakuBoardCallback(parameters=True, every_n_steps=11, samples=24),
            ModelCheckpoint(monitor="val/acc", mode="max", filename="best"),
            OneLineAnEpoch(),
        ],
        accelerator="cpu",
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(SmallCNN(), datamodule=Digits())
    print(f"best checkpoint: {Path(logger.log_dir) / 'checkpoints' / 'best.ckpt'}")
    return dict(trainer.callback_metrics)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description="Train a small CNN on handwritten digits, logged to KohakuBoard."
    )
    parser.add_argument("--epochs", type=int, default=15, help="passes over the images (default %(default)s)")
    parser.add_argument("--dir", help="root of all runs (default: $KOHAKUBOARD_DIR, else ./kohakuboard)")
    options = parser.parse_args()
    be_quiet()
    metrics = train(options.epochs, options.dir)
    print(f"validation accuracy {metrics['val/acc']:.1%}")


if __name__ == "__main__":
    main()
