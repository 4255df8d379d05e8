"""Train two layers on scikit-learn's handwritten digits in a loop with Accelerate, and log it.

    pip install "kohakuboard[accelerate]" scikit-learn
    python examples/accelerate_loop.py
    accelerate launch examples/accelerate_loop.py      # several processes make one run, too
    kobo open

The loop is Accelerate's own: `init_trackers`, `log`, `end_training`. What only KohakuBoard takes, such as the pictures,
goes to the tracker by its name, on the main process. About ten seconds.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from kohakuboard.accelerate import KohakuBoardTracker


def digits(batch_size: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Return batches of images and labels to train on, and all that are kept for validation in one batch."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        torch.tensor(images, dtype=torch.float32).reshape(-1, 8, 8) / 16,
        torch.tensor(labels),
        test_size=0.2,
        stratify=labels,
        random_state=0,
    )
    training, validation = TensorDataset(parts[0], parts[2]), TensorDataset(parts[1], parts[3])
    return DataLoader(training, batch_size, shuffle=True), DataLoader(validation, len(validation))


def validate(accelerator: Any, model: nn.Module, batches: Any, step: int) -> float:
    """Log loss and accuracy, and some of the images that are misread; return the accuracy."""
    model.eval()
    with torch.no_grad():
        images, labels = accelerator.gather_for_metrics(next(iter(batches)))
        scores: Tensor = model(images)
    model.train()
    right = scores.argmax(1) == labels
    accuracy = float(right.float().mean())
    accelerator.log({"val/loss": functional.cross_entropy(scores, labels), "val/acc": accuracy}, step=step)
    if accelerator.is_main_process:
        wrong = [index for index, is_right in enumerate(right.tolist()) if not is_right][:8]
        accelerator.get_tracker("kohakuboard").log_images(
            {"mistakes": [images[index] for index in wrong]},
            step=step,
            captions=[f"{int(labels[index])}, taken for {int(scores[index].argmax())}" for index in wrong],
        )
    return accuracy


def train(options: argparse.Namespace) -> float:
    """Train, and return the accuracy of the validation."""
    torch.manual_seed(0)
    # For a model this small, threads wait for each other longer than they work, and the more so on a busy machine.
    torch.set_num_threads(1)
    # By name, log_with="kohakuboard", Accelerate makes the tracker itself; the project is then init_trackers' first
    # argument, and the rest goes into its init_kwargs={"kohakuboard": {...}}.
    tracker = KohakuBoardTracker("digits", name="two-layers", base_dir=options.dir, tags=["example"])
    accelerator = Accelerator(cpu=True, log_with=[tracker])
    config = {"lr": options.lr, "batch_size": options.batch_size, "processes": accelerator.num_processes}
    accelerator.init_trackers("digits", config=config)
    model: Any = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    model, optimizer, batches, kept = accelerator.prepare(
        model, torch.optim.AdamW(model.parameters(), lr=options.lr), *digits(options.batch_size)
    )
    step, accuracy = -1, 0.0
    for _ in range(options.epochs):
        for images, labels in batches:
            step += 1
            loss = functional.cross_entropy(model(images), labels)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            accelerator.log({"train/loss": loss}, step=step)
        accuracy = validate(accelerator, model, kept, step)
    accelerator.end_training()
    return accuracy


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description="Train two layers on handwritten digits, logged to KohakuBoard."
    )
    parser.add_argument("--epochs", type=int, default=15, help="passes over the images (default %(default)s)")
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--dir", help="root of all runs (default: $KOHAKUBOARD_DIR, else ./kohakuboard)")
    print(f"validation accuracy {train(parser.parse_args()):.1%}")


if __name__ == "__main__":
    main()
