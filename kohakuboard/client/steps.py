"""The step of a board: one more with each call of `log`, or moved by `step()`, or given with a call.

`Board.log` reads and writes these attributes itself: to ask for its step would be one more call each time.
"""

from __future__ import annotations

from operator import index
from typing import Any, Final

from ..errors import InvalidStepError
from .plain import INT64, describe
from .telling import Telling
from .values import type_name, whole_number

__all__ = ["HIGHEST_STEP", "Steps"]

HIGHEST_STEP: Final = 2**63 - 1
LOWEST_STEP: Final = -(2**63)


class Steps(Telling):
    """Give a board its step."""

    _step: int  # where `step()` moved to, once it was called
    _stepping: bool  # whether it was
    _next_step: int  # that of the next call without one, as long as it was not
    _first_step: int

    def step(self, n: int = 1) -> None:
        """Move the step by `n`. It starts at 0; all that is logged until the next call belongs to it.

        It stops at the ends of a 64-bit integer. Raises InvalidStepError when `n` is no integer.
        """
        try:
            moved = index(n)
        except Exception:  # noqa: BLE001  (a user's own __index__ may raise anything)
            raise InvalidStepError(n) from None
        if not self._stepping:
            self._stepping = True
            self._step = max(self._next_step - 1, 0)
        self._step = min(max(self._step + moved, LOWEST_STEP), HIGHEST_STEP)

    def _valid_step(self, step: Any) -> int:
        number = whole_number(step)
        if number is not None and number in INT64:
            return number
        used = self._step if self._stepping else min(self._next_step, HIGHEST_STEP)
        self._refuse(
            "step", f"step={describe(step)} ({type_name(step)}) is no 64-bit integer; step {used} was used"
        )
        return used

    def _event_step(self) -> int:
        return self._step if self._stepping else min(max(self._next_step - 1, 0), HIGHEST_STEP)
