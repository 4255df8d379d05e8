"""Train a network on scikit-learn's handwritten digits with plain PyTorch, and log more than its loss.

    pip install kohakuboard torch scikit-learn matplotlib
    python examples/rich_data.py
    kobo open

1797 images of 8 x 8 pixels, a fifth of them kept for validation: gradients, mistakes as pictures, a confusion matrix as
figure and table, the embedding as a tensor, a video, a sound, a report. Well under a minute on two cores.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from kohakuboard import Board, Histogram, KernelDensity, Media, Table, Text
from kohakuboard import Tensor as Kept

DIGITS = {number: str(number) for number in range(10)}
SAMPLE_RATE = 8000


class Network(nn.Module):
    """Two layers that make 16 features of an image, and one that tells the digit from them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 16), nn.ReLU())
        self.scores = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores of shape (images, 10)."""
        scores: Tensor = self.scores(self.features(images))
        return scores


def digits(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images for training and validation, from 0 to 1 and of shape (images, 64), and their labels."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, labels, test_size=0.2, stratify=labels, random_state=seed)
    training, validation = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    return training, validation, torch.tensor(parts[2]), torch.tensor(parts[3])


def batches(images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield all images once, in random order."""
    for chosen in torch.split(torch.randperm(len(images)), size):
        yield images[chosen], labels[chosen]


def train(board: Board, model: Network, settings: dict[str, Any]) -> None:
    """Train, and log each step, and more after each epoch."""
    images, held_out, labels, truth = digits(settings["seed"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["lr"])
    best, step = 0.0, 0
    for epoch in range(settings["epochs"]):
        for batch, target in batches(images, labels, settings["batch_size"]):
            board.step()  # all that is logged until the next call belongs to it
            step += 1
            loss = functional.cross_entropy(model(batch), target)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            board.log({"train/loss": loss, "epoch": epoch})
            if step % settings["gradients_every"] == 0:
                board.log_gradients(model)
            optimizer.step()
        accuracy = log_validation(board, model, held_out, truth, epoch)
        best = max(best, accuracy)
    board.summary["best_acc"] = best
    if best < 0.9:
        board.alert("The network learns badly", f"the best accuracy is {best:.2f}", level="warning")


def log_validation(board: Board, model: Network, images: Tensor, truth: Tensor, epoch: int) -> float:
    """Log how well the model does on images that it has not learned, and where it errs; return the accuracy."""
    with torch.no_grad():
        scores = model(images)
        features = model.features(images)
    chances, guesses = scores.softmax(1).max(1)
    accuracy = float((guesses == truth).float().mean())
    wrong = torch.nonzero(guesses != truth).flatten().tolist()
    matrix = confusion_matrix(truth, guesses, labels=range(10))
    board.log(
        {
            "val/loss": functional.cross_entropy(scores, truth),
            "val/acc": accuracy,
            "epoch": epoch,
            "val/certainty": Histogram(chances, range=(0, 1)),
            "val/certainty_density": KernelDensity(chances),
            "mistakes": [picture(images[i], guesses[i], truth[i]) for i in wrong[:16]],
            "mistakes_table": Table(
                [
                    {
                        "image": Media(images[i].reshape(8, 8)),
                        "guess": int(guesses[i]),
                        "truth": int(truth[i]),
                    }
                    for i in wrong[:16]
                ]
            ),
            "confusion": drawing(matrix),
            "confusion_table": Table(matrix.tolist(), columns=list(DIGITS.values())),
            "embedding": Kept(features),
            "report": Text(
                f"# Epoch {epoch}\n\n{len(wrong)} of {len(truth)} digits were **misread**.", "markdown"
            ),
        }
    )
    return accuracy


def picture(image: Tensor, guess: Tensor, truth: Tensor) -> Media:
    """Return an image with what it was taken for, and a box around its ink."""
    pixels = image.reshape(8, 8)
    rows, columns = (torch.nonzero(pixels.amax(axis) > 0.3).flatten() for axis in (1, 0))
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    caption = f"a {int(truth)}, taken for a {int(guess)}"
    return Media(pixels, caption, boxes=[{"box": box, "class_id": int(guess)}], classes=DIGITS)


def drawing(matrix: np.ndarray[Any, Any]) -> Figure:
    """Return a confusion matrix as a plot."""
    figure = Figure(figsize=(4, 4))
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues")
    axes.set(xlabel="guess", ylabel="truth", xticks=range(10), yticks=range(10))
    return figure


def log_once(board: Board, model: Network, seed: int) -> None:
    """Log what there is one of: a video of the digits, a sound, and the model as an artifact."""
    images, _, labels, _ = digits(seed)
    order = labels.argsort()[:: len(labels) // 40]
    video = (images[order].reshape(-1, 8, 8).repeat_interleave(8, 1).repeat_interleave(8, 2) * 255).byte()
    board.log_video("digits", video, fps=10, format="gif", caption="from 0 to 9")
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    board.log_audio("beep", np.sin(2 * np.pi * 440 * time) * np.exp(-3 * time), sample_rate=SAMPLE_RATE)
    weights = Path(board.path, "model.pt")
    torch.save(model.state_dict(), weights)
    board.log_artifact(weights, "digits-model", type="model", aliases=["best"])
    weights.unlink()  # it was copied


def main() -> None:
    """Train and log."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", help="where runs go; default $KOHAKUBOARD_DIR, else ./kohakuboard")
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    settings = {
        "epochs": options.epochs, "lr": 0.003, "batch_size": 64, "width": 64, "seed": 0, "gradients_every": 20,
    }  # fmt: skip
    torch.manual_seed(settings["seed"])
    model = Network(settings["width"])
    with Board(
        "rich-data", project="digits", config=settings, base_dir=options.dir, tags=["example"]
    ) as board:
        train(board, model, settings)
        log_once(board, model, settings["seed"])
        print(f"val/acc {board.summary['best_acc']:.3f}  →  kobo open {board.path}")


if __name__ == "__main__":
    main()
