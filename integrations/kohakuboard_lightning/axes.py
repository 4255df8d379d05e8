"""Where in training a value was logged: Lightning says so only of some, see docs/integrations.md."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

__all__ = ["Axes", "steps"]


class Axes:
    """Know the trainer of the model that a logger was told of. Pickled, it knows none."""

    def __init__(self) -> None:
        self._model: weakref.ref[Any] | None = None

    def follow(self, model: Any) -> None:
        """Take the trainer of a LightningModule; Fabric's models have none."""
        self._model = weakref.ref(model)

    @property
    def has_begun(self) -> bool:
        """Tell whether a trainer came as far as to tell its loggers of the model: a tuner ends it before that."""
        return self._model is not None

    def trained_steps(self) -> int:
        """Return how far the trainer came in the training that ends now; 0 when it did something else."""
        trainer = self._fitting()
        return steps(trainer) if trainer is not None else 0

    def begins_before(self, trained_steps: int) -> bool:
        """Tell whether a training begins that logs at steps which one before it has logged at."""
        trainer = self._fitting()
        # The checkpoint that it goes on from is not loaded yet.
        return trainer is not None and (
            steps(trainer) < trained_steps or bool(trained_steps and trainer.ckpt_path)
        )

    def beside(self, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what is to be logged with metrics, so that each can be drawn over epochs; None in the sanity check.

        Lightning adds the epoch to all that it logs itself, but for each batch of an evaluation, whose steps count
        these batches.
        """
        # Once for each step, so the trainer's state is read here: its properties compare words in Python.
        model = self._model() if self._model is not None else None
        trainer: Any = getattr(model, "_trainer", None)  # not `trainer`, which raises where there is none
        stage = getattr(trainer.state.stage, "_value_", "") if trainer is not None else ""
        if stage == "sanity_check":
            return None
        if not stage or "epoch" in metrics:
            return {}
        if stage in ("validate", "test"):
            return {"trainer/epoch": trainer.current_epoch, "trainer/step": steps(trainer)}
        return {"epoch": trainer.current_epoch} if stage == "train" else {}

    def _fitting(self) -> Any:
        trainer = getattr(self._model() if self._model is not None else None, "_trainer", None)
        return trainer if trainer is not None and trainer.state.fn == "fit" else None

    def __getstate__(self) -> dict[str, Any]:
        return {"_model": None}


def steps(trainer: Any) -> int:
    """Return the step that the trainer logs at: how many batches led to a step of the optimizer."""
    loop = trainer.fit_loop.epoch_loop
    return int(getattr(loop, "_batches_that_stepped", trainer.global_step))
