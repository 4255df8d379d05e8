"""Train in processes that Accelerate forks, as its launcher for notebooks does."""

from __future__ import annotations

from pathlib import Path

from accelerate import debug_launcher  # type: ignore[import-untyped]

import kohakuboard  # noqa: F401  (makes the name known, also in a checkout that is not installed)
from tests.conformance.tiny import tiny_trainer


def train() -> None:
    """Train as one of the processes."""
    job = tiny_trainer(Path(), report_to="kohakuboard", logging_steps=1)
    job.train()
    job.evaluate()


if __name__ == "__main__":
    debug_launcher(train, num_processes=2)
