"""The tracker for Accelerate.

Nothing happens before `start()`, which Accelerator calls from `init_trackers`: the constructor runs before
the processes know each other, and asking for a rank then would set up the wrong state (accelerate issue
3581).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accelerate.state import PartialState  # type: ignore[import-untyped]
from accelerate.tracking import GeneralTracker  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from kohakuboard import Board

__all__ = ["KohakuBoardTracker"]


class KohakuBoardTracker(GeneralTracker):  # type: ignore[misc]  # Accelerate ships no types
    """Log to KohakuBoard, on the main process.

    Args:
        project: The folder that the run is filed under.
        name: The run's name; a memorable one is made up when none is given.
        base_dir: Root of all projects; default $KOHAKUBOARD_DIR, else ./kohakuboard.
        config: Hyperparameters besides those given to `init_trackers`.
        tags: Words to find the run by.
        notes: Free text.
        group: What the run belongs together with, such as a sweep.
        capture_output: Whether to copy what Python prints to the run's console.log.

    An Accelerator takes the tracker as it is, so the project given to `init_trackers` is not seen here.
    """

    name = "kohakuboard"
    requires_logging_directory = False
    main_process_only = True

    def __init__(
        self,
        project: str = "default",
        *,
        name: str | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        config: Mapping[str, Any] | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        capture_output: bool = True,
    ) -> None:
        super().__init__()
        self._where: dict[str, Any] = {
            "project": project,
            "base_dir": base_dir,
            "capture_output": capture_output,
        }
        self._run: dict[str, Any] = {
            "name": name,
            "config": dict(config or {}),
            "tags": tags,
            "notes": notes,
            "group": group,
        }
        self._board: Board | None = None

    @property
    def tracker(self) -> Board | None:
        """Return the run's Board; None before `start()`, and on all processes but the main one."""
        return self._board

    def start(self) -> None:
        """Open the run, or after `finish()` open it again; does nothing while it is open."""
        # Here: `import accelerate` registers this class in every script, also in those that never log with it.
        from kohakuboard import Board

        is_open = self._board is not None and not self._board.closed
        if not is_open and PartialState().is_main_process:
            self._board = Board(**self._where, **self._run)
            self._run = {"name": self._board.name, "run_id": self._board.id}

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Add hyperparameters of any shape to the run's config."""
        self.start()
        if self._board is not None:
            self._board.config.update(values)

    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Log values at a step; without one, at one more than the highest so far.

        Arguments meant for other trackers are let pass.
        """
        self.start()
        if self._board is not None:
            self._board.log(values, step=step)

    def finish(self) -> None:
        """End the run, if it was started."""
        if self._board is not None:
            self._board.finish()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_board": None}
