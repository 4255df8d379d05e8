"""The run that an adapter of a framework logs to, whatever processes it is used in and however often it ends.

A framework asks for its logger in many places: in the process that was started, in others that it forks or spawns for
training and again for testing, before training has begun and after it has ended. All of that is one run:

    nothing is open          `open` begins a run, and remembers where
    it was opened before     `open` continues it: after `end`, or where a pickle was sent to
    it is open in a parent   that board is used, in forked and spawned children, and only the parent ends it
    somebody else opened     `open` uses that board, and `end` leaves it open: it is the user's own, or another
    one in this process      adapter's
    a cell of a notebook     it ends as failed, if it was logged to in that cell and this adapter opened it; what
    raises                   is logged later opens it again
"""

from __future__ import annotations

import logging
import os
import shutil
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .board import Board, default_root, open_boards
from .cells import CellWatch
from .ending import end_of
from .takeover import resume_setting

__all__ = ["AdapterRun", "place_of", "shared_board"]

log = logging.getLogger("kohakuboard")

# Which adapter opened a board. Two Trainers in one program are two runs; a Trainer and an Accelerator are one.
_OPENERS: Final[weakref.WeakKeyDictionary[Board, str]] = weakref.WeakKeyDictionary()


class AdapterRun:
    """Hold the run of one logger, callback or tracker. Making one has no effect; it can be pickled.

    Args:
        adapter: Which framework it is for.
    """

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
        self._board: Board | None = None
        self._pid = 0
        self._owned = False
        self._place: dict[str, Any] = {}
        self._cells: CellWatch | None = None
        self._used_in_cell = False

    @property
    def board(self) -> Board | None:
        """Return the board if it is open."""
        return None if self._board is None or self._board.closed else self._board

    def in_use(self) -> Board | None:
        """Return the board if it is open, to log to it now: an error of the notebook's cell is then the run's, too."""
        self._used_in_cell = True
        return self.board

    @property
    def place(self) -> dict[str, Any]:
        """Return `project`, `base_dir` and `run_id` of the run; {} while there is none. JSON can hold it."""
        return dict(self._place)

    @property
    def owned(self) -> bool:
        """Tell whether this adapter opened the board in this process, and so ends it."""
        return self._owned and self._pid == os.getpid()

    def go_to(self, place: dict[str, Any]) -> None:
        """Continue the run at a place when it is opened next, such as that of a checkpoint."""
        self._board, self._place = None, dict(place)

    def can_continue(self, place: dict[str, Any]) -> bool:
        """Tell whether the run of a checkpoint is there, and may be continued; with a warning when it is not there.

        The root of a checkpoint that was moved is taken to be the default one.
        """
        way = resume_setting(None)
        roots = (Path(place["base_dir"]), default_root())
        found = next((root for root in roots if (root / place["project"] / place["run_id"]).is_dir()), None)
        if found is not None:
            place["base_dir"] = str(found.absolute())
        elif way == "allow":
            log.warning(
                "the run that the checkpoint belongs to, %s/%s, is not under %s; another one is begun",
                place["project"],
                place["run_id"],
                place["base_dir"],
            )
        return way == "must" or (found is not None and way == "allow")

    def open(self, *, at_step: int | None = None, new_attempt: bool = False, **options: Any) -> Board:
        """Return the open board, opening it if need be.

        Args:
            at_step: The step of the checkpoint that training goes on from.
            new_attempt: Whether training begins once more in the run that this process had ended.
            **options: Those of Board for a run that is begun.

        Raises what Board raises.
        """
        board = self.in_use()
        if board is None:
            shared = self._shared()
            board = shared or Board(at_step=at_step, new_attempt=new_attempt, **{**options, **self._place})
            self._take(board, owned=shared is None)
            if shared is not None:  # what its user said of it stays
                config = options.get("config") or {}
                board.config.update({key: config[key] for key in config if key not in board.config})
        return board

    def end(self, status: str = "finished", error: str | BaseException | None = None) -> None:
        """End the run, unless somebody else opened it. What is logged later opens it again."""
        if self.board is None:
            return
        if not self.owned:
            self.is_under_way(None)
            return
        self._watch_no_cells()
        # Taken away first: a signal handler may end it while this one waits for the writer.
        board, self._board = self.board, None
        board.finish(status, error=error)

    def is_under_way(self, what: str | None) -> None:
        """Say what the program is to bring to its end, or that it has; `end` says that, too."""
        if self.board is not None and self.board.under_way != what:
            self.board.under_way = what

    def take_back(self) -> None:
        """End a run that was begun for nothing, and delete it, if it holds nothing."""
        board, owned = self.board, self.owned
        if board is not None and owned and not board.holds_anything:
            self.end()
            shutil.rmtree(board.path, ignore_errors=True)
            with suppress(OSError):  # what is not empty stays
                board.path.parent.rmdir()
                board.path.parent.parent.rmdir()
        else:
            self.end()

    def forget(self) -> None:
        """Begin another run when it is opened next."""
        self._watch_no_cells()
        self._board, self._place, self._owned = None, {}, False

    def _shared(self) -> Board | None:
        """Return the board of somebody else in this process that is to be used."""
        if self._place:
            path = Path(self._place["base_dir"], self._place["project"], self._place["run_id"])
            return next((board for board in open_boards() if board.path == path), None)
        return shared_board(self._adapter)

    def _take(self, board: Board, *, owned: bool) -> None:
        self._board, self._owned, self._pid = board, owned, os.getpid()
        self._watch_no_cells()
        if owned:
            _OPENERS[board] = self._adapter
            self._cells = CellWatch(self._after_cell)
        self._place = place_of(board)

    def _after_cell(self, error: BaseException | None) -> None:
        used, self._used_in_cell = self._used_in_cell, False
        if used and error is not None:
            self.end(*end_of(error, self.board.under_way if self.board is not None else None))

    def _watch_no_cells(self) -> None:
        cells, self._cells = self._cells, None
        if cells is not None:
            cells.stop()

    def __getstate__(self) -> dict[str, Any]:
        # A board that is open logs to its run from anywhere, and ends it nowhere else.
        return {**self.__dict__, "_board": self.board, "_owned": False, "_cells": None}


def place_of(board: Board) -> dict[str, Any]:
    """Return where a board's run lies, as arguments of Board."""
    # By directory: the name of a project need not be the name of its folder.
    root, project = board.path.parent.parent, board.path.parent.name
    return {"project": project, "base_dir": str(root), "run_id": board.id}


def shared_board(adapter: str) -> Board | None:
    """Return the board that was opened last in this process, by anybody but this kind of adapter; None if none is."""
    return next((board for board in open_boards() if _OPENERS.get(board) != adapter), None)
