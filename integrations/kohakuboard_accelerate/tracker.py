"""The tracker for Accelerate.

Nothing happens before `start()`, which Accelerator calls from `init_trackers`: the constructor runs before
the processes know each other, and asking for a rank then would set up the wrong state (accelerate issue
3581).

Accelerate tells its trackers of the end only by `end_training`, and not every script calls it. One that exits without,
and with exit code 0, was interrupted if it left a loop over a DataLoader before the last batch; else it has finished.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelerate.state import GradientState, PartialState  # type: ignore[import-untyped]
from accelerate.tracking import GeneralTracker  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from kohakuboard import Board
    from kohakuboard.client import AdapterRun, CaptureOutput

__all__ = ["KohakuBoardTracker"]


class KohakuBoardTracker(GeneralTracker):  # type: ignore[misc]  # Accelerate ships no types
    """Log to KohakuBoard, on the main process.

    Args:
        project: The folder that the run is filed under; with `log_with="kohakuboard"` it is the name given to
            `init_trackers`, and the rest comes from its `init_kwargs={"kohakuboard": {…}}`.
        name: The run's name; a memorable one is made up when none is given.
        base_dir: Root of all projects; default $KOHAKUBOARD_DIR, else ./kohakuboard.
        run_id: The run's id, to continue one; default a new one.
        at_step: The step of the checkpoint that a continued run goes on from.
        config: Hyperparameters besides those given to `init_trackers`.
        tags: Words to find the run by.
        notes: Free text.
        group: What the run belongs together with, such as a sweep.
        capture_output: What of the output is kept in the run's console.log: True for all that the program prints,
            "python" for what Python code prints, False for nothing; as for Board.

    A Board that the program has open is used, and left open. An instance that is given to an Accelerator is taken as it
    is, so the project given to `init_trackers` is not seen by it.
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
        run_id: str | None = None,
        at_step: int | None = None,
        config: Mapping[str, Any] | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        capture_output: CaptureOutput = True,
    ) -> None:
        super().__init__()
        self._options: dict[str, Any] = {
            "project": project,
            "name": name,
            "base_dir": base_dir,
            "run_id": run_id,
            "config": dict(config or {}),
            "tags": tags,
            "notes": notes,
            "group": group,
            "capture_output": capture_output,
        }
        self._at_step = at_step
        self._own_run: AdapterRun | None = None

    # Accelerate 0.34 starts no tracker: whatever is asked of one starts it.
    @property
    def tracker(self) -> Board | None:
        """Return the run's Board; None before `start()`, and on all processes but the main one."""
        return self._run.board if hasattr(GeneralTracker, "start") else self._started()

    def start(self) -> None:
        """Open the run, or after `finish()` open it again; does nothing while it is open."""
        if self._run.board is None and PartialState().is_main_process:
            self._run.open(at_step=self._at_step, **self._options)
            self._at_step = None
            self._run.is_under_way("the training that Accelerator.end_training() ends")
            # After the Board's own, and so called before it.
            atexit.register(self._at_exit)

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Add hyperparameters of any shape to the run's config."""
        board = self._started()
        if board is not None:
            board.config.update(values)

    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Log values at a step; without one, at one more than the highest so far.

        Arguments meant for other trackers are let pass.
        """
        board = self._started()
        if board is not None:
            board.log(values, step=step)

    def log_images(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Log images by name: an image, a list of them or a batch N×H×W or N×H×W×C, as Media takes them.

        Args:
            values: Names and images.
            step: As for `log`.
            **kwargs: `captions`, one for each image; arguments meant for other trackers are let pass.
        """
        board = self._started()
        if board is not None:
            for name, images in values.items():
                board.log_images(name, _one_by_one(images), captions=kwargs.get("captions"), step=step)

    def log_table(
        self,
        table_name: str,
        columns: Sequence[str] | None = None,
        data: Sequence[Sequence[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Log a table: of columns and rows, of rows whose first has the names, or of a data frame."""
        board = self._started()
        if board is None:
            return
        if dataframe is not None:
            board.log_table(table_name, dataframe, step=step)
        elif data is not None:
            names = columns if columns is not None else data[0] if len(data) else []
            board.log_table(table_name, data if columns is not None else data[1:], list(names), step=step)

    def finish(self) -> None:
        """End the run, if it was started and is nobody else's."""
        atexit.unregister(self._at_exit)
        self._run.end()

    def _at_exit(self) -> None:
        if not _left_a_loop():
            self._run.is_under_way(None)

    @property
    def _run(self) -> AdapterRun:
        if self._own_run is None:
            # Here: `import accelerate` imports this module in every script, also in those that never log with it.
            from kohakuboard.client import AdapterRun

            self._own_run = AdapterRun("accelerate")
        return self._own_run

    def _started(self) -> Board | None:
        self.start()
        return self._run.in_use()


def _left_a_loop() -> bool:
    """Tell whether a loop over a prepared DataLoader was left before its end: Accelerate forgets those that ended."""
    return len(GradientState().dataloader_references) > 1  # the first one is None


def _one_by_one(images: Any) -> Any:
    """Return the images of a batch: an array of four dimensions, or of three whose last one is no colour."""
    shape: tuple[int, ...] = getattr(images, "shape", ())
    if len(shape) == 4 or (len(shape) == 3 and shape[-1] not in (1, 3, 4) and shape[0] not in (1, 3, 4)):
        return list(images)
    return images
