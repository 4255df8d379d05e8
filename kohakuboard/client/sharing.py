"""The boards of a process, and further ones of the same run: in forked children, out of pickles, beside the first.

Only the board that began a run, in the process that began it, ends it. Any other appends to a shard of its own.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..journal.lock import FileLock
from .cuda import CudaCopies
from .device import LateCalls
from .drops import Drops
from .events import Events
from .stand_ins import ClosedShard, ForkedShard
from .supervisor import Supervisor
from .watch import Watching

if TYPE_CHECKING:
    from .board import Board

__all__ = ["Sharing", "board_of", "live_boards", "open_boards"]

# What of a board is not another process's.
_OF_THE_PROCESS: Final = {
    "config", "summary", "_appending", "_console", "_copies", "_drops", "_finish_lock", "_late", "_lock", "_pid",
    "_shard", "_supervisor", "_watches", "log",
}  # fmt: skip
_NOBODY: Final = -1

# The boards that a fork must make safe: os.register_at_fork has no way to unregister, so it is done once.
# Of Any, as only what is built on Sharing below is a Board.
_live: weakref.WeakSet[Any] = weakref.WeakSet()
_numbers = itertools.count()


class Sharing(Events, Watching):
    """Give a board its place among those of its process, and what it is in another one."""

    _finish_lock: threading.RLock
    _lock: FileLock | None
    _number: int
    _supervisor: Supervisor

    def _after_fork_in_child(self) -> None:
        """Become a board of the child: what it logs goes to a shard of its own, and it never ends the run."""
        self._finish_lock = threading.RLock()
        # The run is the parent's, and so is what is on its way from a device.
        if self._lock is not None:
            self._lock.release()
        self._late = LateCalls(self._replace_shard, self._failed)
        self._drops = Drops(self.path)
        self.unwatch()
        if not self.closed:
            self._shard = ForkedShard(self._open_shard_in_child, self._replace_shard)
        if self._pid != _NOBODY:
            self._supervisor.detach_in_child()

    def _go_live(self) -> None:
        self._number = next(_numbers)
        _live.add(self)

    def _leave(self) -> None:
        """Be none of the boards of this process any more."""
        _live.discard(self)

    def _join(self, owner: Board, config: Mapping[str, Any] | None) -> None:
        """Be one more handle of a run that another board of this process has open, and will end."""
        self._become_child(owner._shareable(), closed=False)
        self.config.preset(owner.config)
        self.summary.preset(owner.summary)
        self.config.update(config or {})

    def _shareable(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _OF_THE_PROCESS}

    def _become_child(self, state: dict[str, Any], closed: bool) -> None:
        """Be the board of another process in this one, as after a fork."""
        vars(self).update(state)
        self._pid = _NOBODY  # no process may end the run through it, and it has no supervisor
        self._finish_lock = threading.RLock()
        self._lock = None
        self._console = None
        self._copies = CudaCopies()
        self._drops = Drops(self.path)
        self._late = LateCalls(self._replace_shard, self._failed)
        self._shard = (
            ClosedShard(self.name) if closed else ForkedShard(self._open_shard_in_child, self._replace_shard)
        )
        self._make_mappings()
        self._go_live()


def live_boards() -> list[Board]:
    """Return the boards of this process that are not finished, further ones of a run and a parent's among them."""
    return list(_live)


def open_boards() -> list[Board]:
    """Return the boards that are open in this process, the one that was opened last before the others.

    A parent's counts in its forked children. Further handles of a run, and those out of a pickle, do not: they end with
    no run, and so never.
    """
    known = (board for board in live_boards() if board._pid != _NOBODY and not board.closed)
    return sorted(known, key=lambda board: board._number, reverse=True)


def board_of(path: Path, rank: int) -> Board | None:
    """Return the board of this process that has a run open as that rank, and will end it."""
    pid = os.getpid()
    open_boards = (b for b in live_boards() if (b.path, b.rank) == (path, rank) and not b.closed)
    return next((board for board in open_boards if board._pid == pid), None)


def _make_boards_safe_after_fork() -> None:
    for board in live_boards():
        board._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_make_boards_safe_after_fork)
