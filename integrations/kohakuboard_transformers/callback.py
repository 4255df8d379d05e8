"""The callback for transformers' Trainer, and so for what is built on it.

Training, the evaluations before, in and after it, and predictions are one run; a second `train()` is another
run. Trainer tells its callbacks neither of errors nor of the end of the script: a run that is not ended by
`on_train_end` is ended by its Board when the interpreter exits, which knows whether that was for an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from transformers.trainer_callback import TrainerCallback

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from kohakuboard import Board

__all__ = ["KohakuBoardCallback", "split_final", "with_groups"]

# Told once, at the end of training. With include_num_input_tokens_seen the log of every step has some of
# these, too; only the last one has the mean loss.
FINAL: Final = frozenset(
    {"total_flos", "train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
)
LAST_LOG_KEY: Final = "train_loss"


class KohakuBoardCallback(TrainerCallback):
    """Log to KohakuBoard, on the process of global rank 0.

    Metrics lie on the trainer's global step as train/…, eval/… and test/…; the arguments, the model's
    configuration and its number of parameters go to the config, run times and total_flos to the summary.

    Args:
        project: The folder that the run is filed under; default `TrainingArguments.project`.
        name: The run's name; default the trial's name, else `TrainingArguments.run_name`, else a memorable
            one.
        base_dir: Root of all projects; default $KOHAKUBOARD_DIR, else ./kohakuboard.
        config: More hyperparameters.
        tags: Words to find the run by.
        notes: Free text.
        group: What the run belongs together with, such as a sweep.
        capture_output: Whether to copy what Python prints to the run's console.log.

    The constructor has no effect: Trainers are built in processes that log nothing, and several for one job.
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        name: str | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        config: Mapping[str, Any] | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        capture_output: bool = True,
    ) -> None:
        self._project = project
        self._name = name
        self._config = dict(config or {})
        self._options: dict[str, Any] = {
            "base_dir": base_dir,
            "tags": tags,
            "notes": notes,
            "group": group,
            "capture_output": capture_output,
        }
        self._run: dict[str, Any] = {}
        self._trained = False
        self._board: Board | None = None
        self._pid = 0

    @property
    def board(self) -> Board | None:
        """Return the run's Board while it is open, to log to it directly."""
        if self._board is None or self._board.closed or self._pid != os.getpid():
            return None
        return self._board

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the run; after an earlier training, and for each trial of a search, a new one."""
        if not state.is_world_process_zero:
            return
        if self._trained or state.is_hyper_param_search:
            self._finish()
            self._run = {}
        self._trained = False
        self._ready(args, state, kwargs.get("model"))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log what the trainer logs; what it says only once goes to the summary."""
        if not state.is_world_process_zero or not logs:
            return
        board = self._ready(args, state, kwargs.get("model"))
        final, metrics = split_final(logs)
        board.log(with_groups(metrics), step=state.global_step)
        if final:
            board.summary.update(final)

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log the metrics of `Trainer.predict`, which no other event has."""
        if state.is_world_process_zero and metrics:
            board = self._ready(args, state, kwargs.get("model"))
            board.log(with_groups(metrics), step=state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the run; an evaluation or prediction that follows opens it again."""
        self._finish()
        self._trained = True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_board": None}

    def _ready(self, args: TrainingArguments, state: TrainerState, model: Any) -> Board:
        """Return the run's board; open it, or open it again, if it is not open."""
        board = self.board
        if board is not None:
            return board
        # Here: `import transformers` registers this class in every script, also in those that never log with it.
        from kohakuboard import Board

        if not self._run:
            config = {**_described(args, state, model), **self._config}
            self._run = {"name": self._name or state.trial_name or getattr(args, "run_name", None)}
            board = Board(project=self._project_of(args), config=config, **self._run, **self._options)
            self._run = {"name": board.name, "run_id": board.id}
        else:
            board = Board(project=self._project_of(args), **self._run, **self._options)
        self._board, self._pid = board, os.getpid()
        return board

    def _project_of(self, args: TrainingArguments) -> str:
        return self._project or getattr(args, "project", None) or "huggingface"

    def _finish(self) -> None:
        if self.board is not None:
            self.board.finish()
        self._board = None


def with_groups(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics under train/, eval/ and test/, as transformers' own callbacks name them."""
    return {_grouped(name): value for name, value in metrics.items()}


def _grouped(name: str) -> str:
    for group in ("eval", "test"):
        if name.startswith(f"{group}_"):
            return f"{group}/{name[len(group) + 1 :]}"
    return f"train/{name}"


def split_final(logs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures that belong to the whole training, and the metrics of this step."""
    final = FINAL & logs.keys() if LAST_LOG_KEY in logs else frozenset()
    return (
        {name: value for name, value in logs.items() if name in final},
        {name: value for name, value in logs.items() if name not in final},
    )


def _described(args: TrainingArguments, state: TrainerState, model: Any) -> dict[str, Any]:
    """Return the config of a run: arguments, model, and the trial's parameters in a search."""
    described: dict[str, Any] = dict(args.to_dict())  # type: ignore[no-untyped-call]  # masks tokens
    model_config = getattr(model, "config", None)
    if model_config is not None:
        as_dict = getattr(model_config, "to_dict", None)
        described["model"] = as_dict() if as_dict is not None else model_config
    if hasattr(model, "parameters"):
        described["model_parameters"] = sum(parameter.numel() for parameter in model.parameters())
    if state.trial_params:
        described["trial"] = dict(state.trial_params)
    return described
