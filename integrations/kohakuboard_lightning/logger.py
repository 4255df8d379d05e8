"""The logger for Lightning's Trainer and Fabric.

One job is one run, whatever processes it is made of. That rests on three things:

* The constructor has no effect but to draw the run's id. Scripts are run again for each rank, and nobody
  knows its rank yet; Trainer opens the run, through `experiment`, once ranks are known.
* The id is drawn there, not when the run is opened, and is all that is pickled. Processes that are forked or
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
from typing import TYPE_CHECKING, Any, Final, cast

from lightning_utilities.core.rank_zero import rank_zero_only

from kohakuboard import Board
from kohakuboard.client import default_root, directory_name, new_run_id, random_name

from .ending import ending
from .null import null_board
from .roots import adopt, logger_class

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
else:
    Logger = logger_class()

__all__ = ["KohakuBoardLogger"]

DEFAULT_NAME: Final = "lightning_logs"


class KohakuBoardLogger(Logger):
    """Log to KohakuBoard.

    Args:
        name: The experiment that runs are filed under, as with Lightning's own loggers; the run itself gets a
            memorable name. Given together with `project`, it is the name of the run.
        project: The folder that runs are filed under, when `name` names the run.
        save_dir: Root of all projects; default $KOHAKUBOARD_DIR, else ./kohakuboard. `~` and `$VAR` are
            expanded.
        version: The run's id; one that exists is continued. Default: a new one.
        prefix: Put before each metric's name, with a dash between.
        config: Hyperparameters besides those of the modules.
        tags: Words to find the run by.
        notes: Free text.
        group: What the run belongs together with, such as a sweep.
        capture_output: Whether to keep what is printed in the run's console.log.

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
        config: dict[str, Any] | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        capture_output: bool = True,
    ) -> None:
        super().__init__()
        adopt(type(self))  # a copy of Lightning may have been imported since this module was
        self._project = project if project is not None else name or ""
        self._run_name = name if project is not None and name != DEFAULT_NAME else None
        self._save_dir = _absolute(save_dir if save_dir is not None else default_root())
        if version is None:
            self._run_name = self._run_name or random_name()
            self._version = new_run_id(self._run_name)
        else:
            self._version = _run_id(version)
        self._prefix = prefix
        self._described: dict[str, Any] = {"config": config, "tags": tags, "notes": notes, "group": group}
        self._capture_output = capture_output
        self._board: Board | None = None
        self._pid = 0

    @property
    def name(self) -> str:
        """Return the directory name of the project that the run is filed under."""
        return directory_name(self._project)

    @property
    def version(self) -> str:
        """Return the run's id: the name of its directory."""
        return self._version

    @property
    def save_dir(self) -> str:
        """Return the root of all projects, absolute."""
        return str(self._save_dir)

    @property
    def root_dir(self) -> str:
        """Return the project's directory."""
        return str(self._save_dir / self.name)

    @property
    def log_dir(self) -> str:
        """Return the run's directory."""
        return str(self._save_dir / self.name / self.version)

    @property
    def experiment(self) -> Board:
        """Return the run's Board, opened when there is none yet; on ranks above 0 a null object.

        Raises RuntimeError when the run cannot be opened.
        """
        if getattr(rank_zero_only, "rank", 0) > 0:
            return cast(Board, null_board())
        board = self._open_board()
        if board is None:
            board = self._board = self._open()
        return board

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics at a step, which may be any; without one it is one more than the highest so far."""
        if self._prefix:
            metrics = {f"{self._prefix}{self.LOGGER_JOIN_CHAR}{key}": value for key, value in metrics.items()}
        self.experiment.log(metrics, step=step)

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

    def save(self) -> None:
        """Do nothing: what is logged is safe already."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run with its true status; whatever is logged afterwards opens it again.

        A process that never opened the run leaves it alone, unless it failed: the processes that `ddp_spawn`
        made for the training were not told so.
        """
        # Taken away first: a signal handler of Lightning's may finalize while this one waits for the writer.
        board, self._board = self._open_board(), None
        if board is None and status == "failed" and Path(self.log_dir).is_dir():
            board = self._open()
        if board is not None:
            how, error = ending(status, sys.exc_info()[1])
            board.finish(how, error=error)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_board": None}

    def _open_board(self) -> Board | None:
        """Return the board if it is open in this very process; a forked one has its parent's."""
        if self._board is None or self._board.closed or self._pid != os.getpid():
            return None
        return self._board

    def _open(self) -> Board:
        try:
            board = Board(
                self._run_name,
                project=self._project,
                base_dir=self._save_dir,
                run_id=self._version,
                capture_output=self._capture_output,
                **self._described,
            )
        except Exception as exc:
            # Whatever it is: Trainer asks hasattr(), which would take an AttributeError for "no experiment".
            raise RuntimeError(f"cannot open the run at {self.log_dir!r}: {exc}") from exc
        self._pid = os.getpid()
        self._described = {}  # opened again, the run keeps what was changed meanwhile
        return board


def _absolute(directory: str | Path) -> Path:
    return Path(os.path.expandvars(directory)).expanduser().absolute()


def _run_id(version: str | int) -> str:
    """Return the directory name of a version; numbers are spelt as Lightning spells them."""
    return directory_name(version, "run") if isinstance(version, str) else f"version_{version}"


adopt(KohakuBoardLogger)
