"""The callback for transformers' Trainer, and so for what is built on it.

Training, the evaluations before, in and after it, and predictions are one run; a second `train()` is another run of
the same group, and so is each trial of a search. A training that is resumed from a checkpoint continues its run, whose
place lies in the checkpoint's trainer_state.json.

Trainer tells its callbacks neither of errors nor of the end of the script: a run that is not ended by `on_train_end` is
ended by its Board when the interpreter exits, which knows whether that was for an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from transformers.trainer_callback import ExportableState, TrainerCallback

from .checkpoints import log_checkpoint, log_final_model
from .completions import Completions
from .described import described, group_of, run_name
from .metrics import hidden_nan, split_final, with_groups
from .speaker import Speaker

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from kohakuboard import Board
    from kohakuboard.client import AdapterRun, CaptureOutput

__all__ = ["KohakuBoardCallback"]

HIDDEN_NAN: Final = (
    "The loss was not finite and was logged as 0.0, while the gradient norm is not finite: "
    "TrainingArguments(logging_nan_inf_filter=True), the default, hides it. Set it to False to see the loss as it is."
)


_GIVEN_NOTHING: Final[dict[str, Any]] = {
    **dict.fromkeys(("project", "name", "base_dir", "tags", "notes", "group")),
    "config": {},
    "capture_output": True,
}


class KohakuBoardCallback(TrainerCallback, ExportableState):
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
        group: What the run belongs together with; default the run's name if one is given, else the name of
            `TrainingArguments.output_dir`.
        capture_output: What of the output is kept in the run's console.log: True for all that the program prints,
            "python" for what Python code prints, False for nothing; as for Board.

    A Board that the program has open is used, and left open. The constructor has no effect: Trainers are
    built in processes that log nothing, and several for one job.
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
        capture_output: CaptureOutput = True,
    ) -> None:
        self._given: dict[str, Any] = {
            "project": project,
            "name": name,
            "base_dir": os.fspath(base_dir) if base_dir is not None else None,
            "config": dict(config or {}),
            "tags": tags,
            "notes": notes,
            "group": group,
            "capture_output": capture_output,
        }
        self._own_run: AdapterRun | None = None
        # Only who was made with arguments; `report_to` makes one without.
        self._speaker = Speaker(is_preferred=self._given != _GIVEN_NOTHING)
        self._completions = Completions()
        self._in_training = self._trained = False
        self._warned = False

    @property
    def board(self) -> Board | None:
        """Return the run's Board while it is open, to log to it directly."""
        return self._run.board

    @property
    def place(self) -> dict[str, Any]:
        """Return where the run lies: its project, root and id; {} while there is none."""
        return self._run.place

    @place.setter
    def place(self, place: dict[str, Any]) -> None:
        if place and not self._run.place:
            self._run.go_to(place)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of this callback: where its run lies."""
        return {"args": {}, "attributes": {"place": self.place}}

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Settle which of several callbacks of this kind logs: one with arguments before one without."""
        self._speaker.speaks(control)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the run: that of the checkpoint, a new one after an earlier training, or for each trial of a search."""
        if not self._is_ours(state, control):
            return
        at_step = None
        if state.is_hyper_param_search:
            self._run.end("interrupted" if self._in_training else "finished", self._unfinished())
            self._run.forget()
        elif state.global_step > 0:
            at_step = self._resumed_step(state)
        elif self._trained or (self._in_training and self.board is None):  # of a cell that raised
            self._run.end()
            self._run.forget()
        elif self._in_training and self._run.owned:  # auto_find_batch_size begins anew after an error
            self._run.end("failed", "training began anew, with another batch size")
            at_step = 0
        self._in_training, self._trained = True, False
        # Of others there is nothing to look for.
        self._completions.begin(args.output_dir if getattr(args, "log_completions", False) else None)
        self._ready(args, state, kwargs.get("model"), at_step)
        self._run.is_under_way("Trainer.train()")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log what the trainer logs; what it says only once goes to the summary."""
        if not logs or not self._is_ours(state, control):
            return
        board = self._ready(args, state, kwargs.get("model"))
        self._completions.log_new(board)  # of the log before this one
        self._completions.belong_to(logs)
        final, metrics = split_final(logs)
        board.log(with_groups(metrics), step=state.global_step)
        if final:
            board.summary.update(final)
        if not self._warned and hidden_nan(logs):
            self._warned = True
            board.alert("The loss is not finite", HIDDEN_NAN, level="warning")

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the completions of an evaluation, which may be the last event there is."""
        self._log_completions()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the completions that TRL wrote after its last log."""
        self._log_completions()

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log the metrics of `Trainer.predict`, which no other event has."""
        if metrics and self._is_ours(state, control):
            board = self._ready(args, state, kwargs.get("model"))
            board.log(with_groups(metrics), step=state.global_step)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the checkpoint as an artifact, if $KOHAKUBOARD_LOG_MODEL is "checkpoint"."""
        board = self.board
        if board is not None:
            log_checkpoint(board, args, state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the run; an evaluation or prediction that follows opens it again."""
        if not self._is_ours(state, control):
            return
        self._log_completions()
        board = self.board
        if board is not None:
            log_final_model(
                board, kwargs.get("model"), kwargs.get("processing_class") or kwargs.get("tokenizer")
            )
        self._run.end()
        self._in_training, self._trained = False, True

    def _log_completions(self) -> None:
        board = self.board
        if board is not None:
            self._completions.log_new(board)

    @property
    def _run(self) -> AdapterRun:
        if self._own_run is None:
            # Here: `import transformers` imports this module in every script, also in those that never log with it.
            from kohakuboard.client import AdapterRun

            self._own_run = AdapterRun("transformers")
        return self._own_run

    def _is_ours(self, state: TrainerState, control: TrainerControl) -> bool:
        return state.is_world_process_zero and self._speaker.speaks(control)

    def _unfinished(self) -> str | None:
        return "the trial was pruned, or it failed" if self._in_training else None

    def _resumed_step(self, state: TrainerState) -> int:
        """Turn to the run of the checkpoint; return the checkpoint's step."""
        states: Any = state.stateful_callbacks or {}  # of a checkpoint: a dict of what their `state` returned
        kept = states.get(type(self).__name__)
        for one in kept if isinstance(kept, list) else [kept]:
            place = (one or {}).get("attributes", {}).get("place")
            if place and self._run.can_continue(place):
                self._run.go_to(place)
        return state.global_step

    def _ready(
        self, args: TrainingArguments, state: TrainerState, model: Any, at_step: int | None = None
    ) -> Board:
        """Return the run's board; open it, or open it again, if it is not open."""
        board = self._run.in_use()
        if board is not None:
            return board
        options = {
            **self._given,
            "project": self._given["project"] or getattr(args, "project", None) or "huggingface",
            "name": self._given["name"] or run_name(args, state),
            "group": self._given["group"] or group_of(args),
            "config": {**described(args, state, model), **self._given["config"]},
        }
        return self._run.open(at_step=at_step, **options)
