"""Train a small network with nothing but NumPy, and log it: no framework needed.

    python examples/quickstart.py
    kobo open

The task is the old one of telling two intertwined spirals apart, which no straight line can do.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import numpy.typing as npt

from kohakuboard import Board, Histogram

Array = npt.NDArray[np.float64]


def two_spirals(points: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return points of shape (points, 2), and 0 or 1 for the spiral that each is on, of shape (points,)."""
    turn = np.sqrt(rng.random(points)) * 3 * np.pi
    label = rng.integers(0, 2, points)
    angle = turn + np.pi * label
    place = np.stack([np.cos(angle), np.sin(angle)], axis=1) * turn[:, None] / (3 * np.pi)
    return place + rng.normal(0, 0.015, place.shape), label.astype(np.float64)


class Network:
    """Two hidden layers of tanh units and a logistic output, trained by Adam."""

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        shapes = [(2, width), (width,), (width, width), (width,), (width,), (1,)]
        self.weights = [rng.normal(0, 1.5 / np.sqrt(shape[0]), shape) for shape in shapes]
        self._mean = [np.zeros(shape) for shape in shapes]
        self._square = [np.zeros(shape) for shape in shapes]

    def predict(self, x: Array) -> tuple[Array, list[Array]]:
        """Return the probability of spiral 1 for each point, and what each layer put out."""
        w1, b1, w2, b2, w3, b3 = self.weights
        first = np.tanh(x @ w1 + b1)
        second = np.tanh(first @ w2 + b2)
        return 1 / (1 + np.exp(-(second @ w3 + b3))), [x, first, second]

    def gradients(self, x: Array, y: Array) -> tuple[float, list[Array]]:
        """Return the mean cross-entropy, and its gradient for each array of weights."""
        probability, (_, first, second) = self.predict(x)
        error = (probability - y) / len(y)
        back2 = np.outer(error, self.weights[4]) * (1 - second**2)
        back1 = back2 @ self.weights[2].T * (1 - first**2)
        gradients = [x.T @ back1, back1.sum(0), first.T @ back2, back2.sum(0), second.T @ error]
        return cross_entropy(probability, y), [*gradients, np.array([error.sum()])]

    def update(self, gradients: list[Array], lr: float, step: int) -> None:
        """Take one step of Adam (Kingma and Ba 2015); `step` counts from 1."""
        for weight, gradient, mean, square in zip(
            self.weights, gradients, self._mean, self._square, strict=True
        ):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            weight -= lr * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)


def cross_entropy(probability: Array, y: Array) -> float:
    """Return the mean cross-entropy in nats."""
    likely = np.clip(np.where(y > 0.5, probability, 1 - probability), 1e-12, 1)
    return float(-np.log(likely).mean())


def accuracy(probability: Array, y: Array) -> float:
    """Return the share of points that are put on the right spiral."""
    return float(((probability > 0.5) == (y > 0.5)).mean())


def train(board: Board, config: dict[str, Any]) -> float:
    """Train, log to the board, and return the accuracy on points that were not trained on."""
    rng = np.random.default_rng(config["seed"])
    x, y = two_spirals(1000, rng)
    x_val, y_val = two_spirals(500, rng)
    network = Network(config["width"], rng)
    steps = config["steps"]
    for step in range(steps):
        batch = rng.choice(len(x), config["batch_size"], replace=False)
        lr = config["lr"] * 0.5 * (1 + np.cos(np.pi * step / steps))
        loss, gradients = network.gradients(x[batch], y[batch])
        network.update(gradients, lr, step + 1)
        board.log({"train/loss": loss, "lr": lr}, step=step)
        if step % 50 == 49 or step == steps - 1:
            probability, _ = network.predict(x_val)
            board.log(
                {
                    "val/loss": cross_entropy(probability, y_val),
                    "val/acc": accuracy(probability, y_val),
                    "weights/hidden": Histogram(network.weights[2]),
                },
                step=step,
            )
    return accuracy(network.predict(x_val)[0], y_val)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description="Tell two spirals apart with NumPy, and log it to KohakuBoard."
    )
    parser.add_argument("--steps", type=int, default=2000, help="steps of training (default %(default)s)")
    parser.add_argument("--dir", help="root of all runs (default: $KOHAKUBOARD_DIR, else ./kohakuboard)")
    options = parser.parse_args()
    config = {"steps": options.steps, "batch_size": 100, "width": 32, "lr": 0.01, "seed": 0}
    with Board(
        "numpy-mlp", project="spirals", config=config, base_dir=options.dir, tags=["quickstart", "numpy"]
    ) as board:
        reached = train(board, config)
        print(f"validation accuracy {reached:.1%}")


if __name__ == "__main__":
    main()
