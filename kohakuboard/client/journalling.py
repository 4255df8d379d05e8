"""The journal of a board: the shard that its process appends to, and what becomes of what cannot be appended.

A shard that is closed, that waits for a device's values or that a child has yet to open is stood for by another object,
so that `log` need not ask; see stand_ins.py and device.py. A board whose directory was deleted goes on in another one.
"""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import BoardClosedError
from ..journal.process import host_name
from ..journal.settings import Settings
from ..journal.shard import Shard
from ..journal.written import open_shard
from ..masking import masked
from .console import ConsoleCapture
from .device import Copies, LateCalls
from .drops import Drops
from .mappings import LoggedMapping
from .stand_ins import ClosedShard, ForkedShard
from .steps import Steps

__all__ = ["Journalling"]


class Journalling(Steps):
    """Give a board what it appends to."""

    name: str
    path: Path
    rank: int
    config: LoggedMapping
    summary: LoggedMapping
    _appending: Shard  # the shard that was opened last, also while another object stands for it
    _console: ConsoleCapture | None
    _copies: Copies
    _drops: Drops
    _late: LateCalls
    _lineage: str | None
    _pid: int
    _settings: Settings
    _shard: Shard | ForkedShard | ClosedShard | LateCalls
    _start: dict[str, Any]

    @property
    def closed(self) -> bool:
        """Tell whether the board was finished."""
        return isinstance(self._shard, ClosedShard)

    def _write_event(self, event: dict[str, Any]) -> None:
        try:
            self._shard.event(self._event_step(), event)
        except BoardClosedError:
            raise
        except (OSError, MemoryError) as exc:
            self._drops.hold(self._event_step(), event, exc)
        except Exception:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("event", f"a {event['type']} could not be noted:\n{traceback.format_exc()}")

    def _failed(self, error: Exception) -> None:
        """Note that a call could not be appended."""
        if isinstance(error, OSError):
            self._drops.add(self._event_step(), error, calls=1)
        else:
            text = "".join(traceback.format_exception(error))
            self._refuse("log", f"this call could not be logged:\n{text}")

    def _open_shard(self) -> Shard:
        shard = open_shard(
            self.path / "journal",
            rank=self.rank,
            host=host_name(),
            parent=self._lineage,
            way=self._settings.journal,
            limit_bytes=self._settings.journal_limit_bytes,
        )
        # Its children's shards will name it, and inherit this by a fork or in a pickle.
        self._lineage = shard.identity.shard
        shard.on_gap = lambda remade: self._after_gap(shard, remade)
        self._appending = shard
        return shard

    def _open_shard_in_child(self) -> Shard:
        # Where a pickle was sent to, there may be no such directory, and no run is to begin there.
        os.stat(self.path)
        return self._open_shard()

    def _replace_shard(self, old: Any, new: Any) -> None:
        if self._shard is old:
            self._shard = new

    def _move_on(self) -> None:
        """Go on in a directory made anew, when somebody deleted that of the run."""
        if not self._appending.directory.is_dir():
            with suppress(OSError):
                self._appending.move_on()

    def _after_gap(self, shard: Shard, remade: bool) -> None:
        """Write what the journal lacks: who we are, if it was deleted, and what could not be noted meanwhile."""
        try:
            if remade and os.getpid() == self._pid:
                self._drops.tell_of_deletion()
                shard.event(self._event_step(), {**self._start, "config": masked(dict(self.config))})
                shard.event(self._event_step(), {"type": "summary", "set": dict(self.summary), "remove": []})
                if self._console is not None:
                    with suppress(OSError):
                        self._console.reopen()
            self._drops.note(shard, self._event_step())
        except Exception:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("gap", f"a gap could not be noted:\n{traceback.format_exc()}")
