"""The companion of the logger: what only a callback sees of training, and the run's place in the checkpoints.

Lightning opens a logger's run before it reads the checkpoint that `fit(ckpt_path=…)` names, and tells the logger
nothing of it. This callback is shown the checkpoint before anything is logged: there the logger turns to the run of the
checkpoint, and takes back the one that it has begun.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kohakuboard import Media, Table

from .axes import steps
from .logger import KohakuBoardLogger
from .roots import callback_class

if TYPE_CHECKING:
    from lightning.pytorch import Callback
else:
    Callback = callback_class()

__all__ = ["KohakuBoardCallback"]

STATE_KEY: Final = "KohakuBoardCallback"


class KohakuBoardCallback(Callback):
    """Log gradients, learning rates and throughput to the KohakuBoardLoggers of a Trainer; resume their run.

    Args:
        gradients: Whether to log a histogram of each parameter's gradient, as it is when the optimizer steps: unscaled,
            and before it is clipped.
        parameters: Whether to log a histogram of each parameter.
        every_n_steps: At which of the optimizer's steps there are histograms, and learning rates.
        learning_rates: Whether to log the rate of each group of parameters.
        throughput: Whether to log batches and, where a batch tells its size, samples a second.
        samples: How many predictions of each validation to log as a table, when `validation_step` returns a dict of
            arrays; images among them are shown.

    The run's place is kept in checkpoints, so `fit(ckpt_path=…)` continues the run as one more attempt.
    """

    def __init__(
        self,
        *,
        gradients: bool = True,
        parameters: bool = False,
        every_n_steps: int = 100,
        learning_rates: bool = True,
        throughput: bool = True,
        samples: int = 0,
    ) -> None:
        self._gradients = gradients
        self._parameters = parameters
        self._every = every_n_steps
        self._learning_rates = learning_rates
        self._throughput = throughput
        self._samples = samples
        self._place: dict[str, Any] = {}
        self._is_resumed = False
        self._clock = 0.0
        self._n_batches = self._n_samples = 0
        self._rows: list[dict[str, Any]] = []

    @property
    def state_key(self) -> str:
        """Return the name under which a checkpoint keeps the state, whatever the arguments were."""
        return STATE_KEY

    def state_dict(self) -> dict[str, Any]:
        """Return where the run lies."""
        return {"place": self._place}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Note where the run lies."""
        for logger in self._loggers(trainer):
            self._place = logger.place

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Turn the loggers to the run of the checkpoint that training goes on from."""
        place = checkpoint.get("callbacks", {}).get(STATE_KEY, {}).get("place")
        if not place or trainer.state.fn != "fit":
            return
        loop = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_loop.state_dict", {})
        n_optimizer_steps = int(checkpoint.get("global_step", 0))
        # It counts the last step in checkpoints of an epoch's end only; global_step counts each optimizer's.
        at_step = min(n_optimizer_steps, int(loop.get("_batches_that_stepped", n_optimizer_steps)) + 1) - 1
        self._is_resumed = True
        for logger in self._loggers(trainer):
            begun = logger.log_dir
            logger.continue_run(place, at_step)
            self._place = logger.place
            for saving in trainer.checkpoint_callbacks:
                # Chosen by then; one that lies elsewhere stays.
                if saving.dirpath and Path(saving.dirpath).is_relative_to(begun):
                    saving.dirpath = str(Path(logger.log_dir, Path(saving.dirpath).relative_to(begun)))

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to measure the time."""
        self._clock, self._n_batches, self._n_samples = time.perf_counter(), 0, 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Tell the loggers where training goes on, which Lightning settles when it has begun."""
        if self._is_resumed:
            self._is_resumed = False
            for logger in self._loggers(trainer):
                logger.goes_on_from(steps(trainer) - 1)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Log histograms and learning rates: once for each step, however many batches were accumulated."""
        step = steps(trainer)
        if step % self._every or not trainer.is_global_zero:
            return
        for logger in self._loggers(trainer):
            board = logger.experiment
            if self._gradients:
                board.log_gradients(pl_module, step)
            if self._parameters:
                board.log_parameters(pl_module, step)
            if self._learning_rates:
                board.log({"epoch": trainer.current_epoch, **_rates(trainer)}, step=step)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, and log the throughput now and then."""
        self._n_batches += 1
        self._n_samples += _size(batch)
        if not self._throughput or self._n_batches % trainer.log_every_n_steps or not trainer.is_global_zero:
            return
        now = time.perf_counter()
        took_s, self._clock = now - self._clock, now
        rates = {"epoch": trainer.current_epoch, "throughput/batches_per_s": self._n_batches / took_s}
        if self._n_samples:
            rates["throughput/samples_per_s"] = self._n_samples * trainer.world_size / took_s
        self._n_batches = self._n_samples = 0
        for logger in self._loggers(trainer):
            logger.log_metrics(rates, step=steps(trainer))

    def on_validation_batch_end(
        self,
        trainer: Any,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first predictions."""
        missing = self._samples - len(self._rows)
        if missing > 0 and isinstance(outputs, Mapping) and not trainer.sanity_checking:
            self._rows += _rows(outputs, batch, missing)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the predictions that were kept."""
        rows, self._rows = self._rows, []
        if rows and trainer.is_global_zero:
            for logger in self._loggers(trainer):
                logger.experiment.log(
                    {"samples": Table(rows), "epoch": trainer.current_epoch}, step=steps(trainer)
                )

    def _loggers(self, trainer: Any) -> list[KohakuBoardLogger]:
        return [logger for logger in trainer.loggers if isinstance(logger, KohakuBoardLogger)]


def _rates(trainer: Any) -> dict[str, float]:
    rates: dict[str, float] = {}
    for number, optimizer in enumerate(trainer.optimizers):
        name = type(optimizer).__name__ + (f"-{number}" if number else "")
        for group, options in enumerate(optimizer.param_groups):
            rates[f"lr/{name}" + (f"/pg{group + 1}" if len(optimizer.param_groups) > 1 else "")] = float(
                options["lr"]
            )
    return rates


def _size(batch: Any) -> int:
    """Return how many samples are in a batch; 0 when it does not tell."""
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        batch = batch[0] if batch else None
    shape = getattr(batch, "shape", None)
    return int(shape[0]) if shape else 0


def _rows(outputs: Mapping[str, Any], batch: Any, most: int) -> list[dict[str, Any]]:
    columns = {name: values for name, values in outputs.items() if getattr(values, "shape", ()) != ()}
    inputs = batch[0] if isinstance(batch, (list, tuple)) and batch else None
    if _are_images(inputs) and "input" not in columns:
        columns = {"input": inputs, **columns}
    n_rows = min([most, *(len(values) for values in columns.values())]) if columns else 0
    return [
        {name: _cell(values[i], _are_images(values)) for name, values in columns.items()}
        for i in range(n_rows)
    ]


def _are_images(values: Any) -> bool:
    shape: tuple[int, ...] = getattr(values, "shape", ())
    return len(shape) == 4 and (shape[1] in (1, 3, 4) or shape[3] in (1, 3, 4))


def _cell(value: Any, is_image: bool) -> Any:
    if is_image:
        return Media(value)
    return value.item() if getattr(value, "shape", None) == () else value.tolist()
