"""The logger for Lightning's Trainer and Fabric.

One job is one run, whatever processes it is made of. That rests on three things:

* The constructor has no effect but to draw the run's id. Scripts are run again for each rank, and nobody
  knows its rank yet; Trainer opens the run, through `experiment`, once ranks are known.
* The id is drawn there, not when the run is opened, and travels in pickles. Processes that are forked or
  spawned for `fit`, and others for `test`, so find the same run; each appends a shard of its own.
* `finalize` ends the run truly, so that its status is right while the program goes on (or hangs, or a
  notebook stays open), and because forked children leave without running exit handlers. What comes after,
  such as `test` after `fit`, opens the same run again.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from lightning_utilities.core.rank_zero import rank_zero_only

from kohakuboard import Board
from kohakuboard.client import (
    AdapterRun,
    CaptureOutput,
    default_root,
    directory_name,
    new_run_id,
    place_of,
    random_name,
    shared_board,
)

from .axes import Axes
from .checkpoints import Checkpoints
from .ending import ending
from .media import MediaCalls
from .null import null_board
from .roots import adopt, logger_class

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import Logger
else:
    Logger = logger_class()

__all__ = ["KohakuBoardLogger"]

DEFAULT_NAME: Final = "lightning_logs"


class KohakuBoardLogger(MediaCalls, Logger):
    """Log to KohakuBoard.

    Args:
        name: The experiment that runs are filed under, as with Lightning's own loggers; the run itself gets a
            memorable name. Given together with `project`, it is the name of the run.
        project: The folder that runs are filed under, when `name` names the run.
        save_dir: Root of all projects; default $KOHAKUBOARD_DIR, else ./kohakuboard. `~` and `$VAR` are
            expanded.
        version: The run's id; one that exists is continued. Default: the Board that the program has open, which is
            then used and left open, else a new run.
        prefix: Put before each metric's name, with a dash between.
        log_model: Which checkpoints become artifacts: with True those that are there when training ends, with
            "all" each when it is saved.
        config: Hyperparameters besides those of the modules.
        tags: Words to find the run by.
        notes: Free text.
        group: What the run belongs together with, such as a sweep.
        capture_output: What of the output is kept in the run's console.log: True for all that the program prints,
            "python" for what Python code prints, False for nothing; as for Board.

    Checkpoints go to `save_dir/name/version/checkpoints`, inside the run.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        name: str | None = DEFAULT_NAME,
        *,
        project: str | None = None,
        save_dir: str | Path | None = None,
        version: str | int | None = None,
        prefix: str = "",
        log_model: bool | Literal["all"] = False,
        config: dict[str, Any] | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        capture_output: CaptureOutput = True,
    ) -> None:
        super().__init__()
        adopt(type(self))  # a copy of Lightning may have been imported since this module was
        shared = shared_board("lightning") if version is None else None
        run_name = name if project is not None and name != DEFAULT_NAME else None
        if shared is not None:
            place = place_of(shared)
        else:
            run_name = run_name or (random_name() if version is None else None)
            place = {
                "project": project if project is not None else name or "",
                "base_dir": _absolute(save_dir if save_dir is not None else default_root()),
                "run_id": new_run_id(run_name or "") if version is None else _run_id(version),
            }
        self._run = AdapterRun("lightning")
        self._run.go_to(place)
        self._place = place
        self._prefix = prefix
        self._described: dict[str, Any] = {
            "name": run_name,
            "config": config,
            "tags": tags,
            "notes": notes,
            "group": group,
        }
        self._capture_output = capture_output
        self._is_described = False
        self._at_step: int | None = None
        # Of the last training that has ended: how, and what for; and how many steps it made.
        self._ended: tuple[str, str | None] = ("finished", None)
        self._trained_steps = 0
        self._is_new_attempt = False
        self._axes = Axes()
        self._checkpoints = Checkpoints(log_model)

    @property
    def name(self) -> str:
        """Return the directory name of the project that the run is filed under."""
        return directory_name(self._place["project"])

    @property
    def version(self) -> str:
        """Return the run's id: the name of its directory."""
        return cast(str, self._place["run_id"])

    @property
    def save_dir(self) -> str:
        """Return the root of all projects, absolute."""
        return cast(str, self._place["base_dir"])

    @property
    def root_dir(self) -> str:
        """Return the project's directory."""
        return os.path.join(self.save_dir, self.name)

    @property
    def log_dir(self) -> str:
        """Return the run's directory."""
        return os.path.join(self.root_dir, self.version)

    @property
    def place(self) -> dict[str, Any]:
        """Return what continues the run: its project, root and id. JSON can hold it."""
        return dict(self._place)

    @property
    def experiment(self) -> Board:
        """Return the run's Board, opened when there is none yet; on ranks above 0 a null object.

        Raises RuntimeError when the run cannot be opened.
        """
        if getattr(rank_zero_only, "rank", 0) > 0:
            return cast(Board, null_board())
        return self._board()

    def continue_run(self, place: Mapping[str, Any], at_step: int) -> None:
        """Turn to the run of a checkpoint, on every rank; what this logger has begun meanwhile is taken back.

        Args:
            place: What `place` returned when the checkpoint was saved.
            at_step: The last step that was logged before.
        """
        found = dict(place)
        if found == self._place or not self._run.can_continue(found):
            return
        self._run.take_back()
        self._run.go_to(found)
        self._place, self._at_step = found, at_step

    def goes_on_from(self, at_step: int) -> None:
        """Correct the last step of a run that is to be continued and that nothing was logged to yet."""
        if self._at_step is not None:
            self._at_step = at_step

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics at a step, which may be any; without one it is one more than the highest so far.

        What is logged at each batch of a validation counts these batches; it has the step and the epoch of the
        training beside it, as trainer/step and trainer/epoch. What is logged by hand in the sanity check is left out.
        """
        beside = self._axes.beside(metrics)
        if beside is None:
            return
        if self._prefix:
            metrics = {f"{self._prefix}{self.LOGGER_JOIN_CHAR}{key}": value for key, value in metrics.items()}
        self._board().log({**metrics, **beside} if beside else metrics, step=step)

    @rank_zero_only
    def log_hyperparams(
        self,
        params: Mapping[Any, Any] | Namespace | None = None,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add hyperparameters of any shape to the run's config.

        `metrics` are logged at step 0, as TensorBoardLogger does; other arguments of other loggers are let
        pass.
        """
        if params is not None:
            self.experiment.config.update(params)
        if isinstance(metrics, Mapping) and metrics:
            self.log_metrics(metrics, step=0)

    @rank_zero_only
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Note the model's size; the graph itself is not recorded.

        Each use of a Trainer begins with this, so it is told here when training begins once more.
        """
        self._axes.follow(model)
        if self._axes.begins_before(self._trained_steps):
            self._begin_once_more()
        if hasattr(model, "parameters"):
            parameters = list(model.parameters())
            self.experiment.config.update(
                {
                    "model_parameters": sum(p.numel() for p in parameters),
                    "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
                }
            )

    def watch(
        self,
        model: Any,
        log: Literal["gradients", "parameters", "all"] | None = "gradients",
        log_freq: int = 100,
        log_graph: bool = False,
    ) -> None:
        """Log histograms of a model's gradients, parameters or both at each `log_freq`-th step.

        In a Trainer, KohakuBoardCallback knows better when gradients are whole.
        """
        if getattr(rank_zero_only, "rank", 0) == 0:
            gradients, parameters = log in ("gradients", "all"), log in ("parameters", "all")
            self.experiment.watch(model, every=log_freq, gradients=gradients, parameters=parameters)

    def use_artifact(self, artifact: str) -> Any:
        """Return a version of an artifact, noting that this run uses it: see Board.use_artifact."""
        return self.experiment.use_artifact(artifact)

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Log the checkpoint as an artifact, or remember to when training ends, as `log_model` says."""
        self._checkpoints.saved(checkpoint_callback, self.experiment)

    def save(self) -> None:
        """Do nothing: what is logged is safe already."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run with its true status; whatever is logged afterwards opens it again.

        A process that never opened the run leaves it alone, unless it failed: the processes that `ddp_spawn`
        made for the training were not told so. What a tuner has opened before training, and left empty, is taken back.
        """
        board = self._run.board
        if board is None and status == "failed" and Path(self.log_dir).is_dir():
            board = self._open()
        begun_for_nothing = not self._axes.has_begun and status == "success"
        if board is not None and begun_for_nothing and not board.holds_anything:
            self._run.take_back()
            self._is_described = False
        elif board is not None:
            if status != "failed":
                self._checkpoints.log_remembered(board)
            self._ended = ending(status, sys.exc_info()[1])
            self._run.end(*self._ended)
            self._trained_steps = self._axes.trained_steps() or self._trained_steps

    def _begin_once_more(self) -> None:
        """Go on in another attempt at the run, for steps that it has already; the last one stays as it ended.

        What a Trainer's own logger would mix up: it logs to the same version again.
        """
        if self._run.owned:
            self._run.end(*self._ended)
            self._trained_steps, self._is_new_attempt = 0, True

    def _board(self) -> Board:
        return self._run.in_use() or self._open()

    def _open(self) -> Board:
        try:
            board = self._run.open(
                at_step=self._at_step,
                new_attempt=self._is_new_attempt,
                capture_output=self._capture_output,
                # Opened again, the run keeps what was changed meanwhile.
                **({} if self._is_described else self._described),
            )
        except Exception as exc:
            # Whatever it is: Trainer asks hasattr(), which would take an AttributeError for "no experiment".
            raise RuntimeError(f"cannot open the run at {self.log_dir!r}: {exc}") from exc
        self._is_described, self._at_step, self._is_new_attempt = True, None, False
        return board


def _absolute(directory: str | Path) -> str:
    return str(Path(os.path.expandvars(directory)).expanduser().absolute())


def _run_id(version: str | int) -> str:
    """Return the directory name of a version; numbers are spelt as Lightning spells them."""
    return directory_name(version, "run") if isinstance(version, str) else f"version_{version}"


adopt(KohakuBoardLogger)
