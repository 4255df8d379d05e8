"""The end of a board: by `finish`, with the `with` block that it is for, or with the program.

Calls whose values are on their way from a device come first, then the event that says how the run ended; from then on
the board is closed, and what is left to wait for is the writer.
"""

from __future__ import annotations

import atexit
import logging
import os
import traceback
from typing import Any, Final

from .ending import end_of, error_text, is_in_kernel, uncaught_error
from .plain import text_of
from .sharing import Sharing
from .stand_ins import ClosedShard
from .telling import say

__all__ = ["Finishing"]

log = logging.getLogger("kohakuboard")

FINISH_TIMEOUT_S: Final = 30.0
DEVICE_TIMEOUT_S: Final = 30.0


class Finishing(Sharing):
    """Give a board its end."""

    def finish(
        self,
        status: str = "finished",
        *,
        error: str | BaseException | None = None,
        timeout_s: float = FINISH_TIMEOUT_S,
    ) -> None:
        """End the run with a status; a second call does nothing.

        Everything logged is safe before this is called, except for what is still on its way from a GPU, for which it
        waits up to DEVICE_TIMEOUT_S. Then it waits up to `timeout_s` for the writer to put it into its final form,
        with a line of progress after 2 s, and leaves the writer to end by itself.

        Args:
            status: finished, failed, interrupted, killed or preempted.
            error: The traceback, reason or exception, for a run that failed.
            timeout_s: The longest wait, in seconds.
        """
        self._end(text_of(status) or "finished", error_text(error), timeout_s)

    def _end(
        self,
        status: str,
        error: str | None,
        timeout_s: float,
        *,
        exiting: bool = False,
        left: str | None = None,
    ) -> None:
        with self._finish_lock:
            if self.closed or os.getpid() != self._pid:
                return
            if given_up := self._late.stop(DEVICE_TIMEOUT_S):
                log.warning(
                    "%d calls of %s were lost: their values never came from the device", given_up, self.path
                )
            self._write_finish({"type": "finish", "status": status, "error": error, "under_way": left})
            shard, self._shard = self._shard, ClosedShard(self.name)
            self.unwatch()
            shard.close()
            self._drops.sum_up()
            if self._lock is not None:
                self._lock.release()
            atexit.unregister(self._finish_at_exit)
            self._leave()
            if self._console is not None:
                self._console.stop()
            self._await_writer(timeout_s, exiting)

    def _write_finish(self, event: dict[str, Any]) -> None:
        """Write the last events, also where the journal cannot grow any more."""
        try:
            self._move_on()
            self._drops.finish(self._appending, self._event_step(), event)
        except Exception:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("finish", f"the end could not be noted:\n{traceback.format_exc()}")

    def _await_writer(self, timeout_s: float, exiting: bool) -> None:
        def waiting() -> None:
            say(f"{self.name}: writing what was logged …")

        if not self._supervisor.finish(timeout_s, waiting, exiting=exiting):
            if exiting and not timeout_s:
                return
            say(f"{self.name}: the writer goes on in the background; the run can be opened meanwhile")
        elif self._supervisor.gave_up:
            log.warning(
                "what was logged to %s is safe in its journal and could not be stored (writer.log there says why); "
                "`kobo recover` stores it later",
                self.path,
            )

    def _finish_at_exit(self) -> None:
        error = uncaught_error()
        left = self._under_way if error is None else None
        # Who shuts a kernel down kills it after 2.5 s, and nobody waits for what comes after it.
        timeout_s = 0.0 if is_in_kernel() else FINISH_TIMEOUT_S
        # What sys.exit was given cannot be seen from here: the writer asks for the exit code when we are gone.
        self._end(*end_of(error, left), timeout_s, exiting=True, left=left)
