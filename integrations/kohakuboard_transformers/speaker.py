"""Which of several callbacks of one Trainer logs: `report_to` makes one, and the user may add another.

They know each other by the Trainer's control object, which every event of it carries and nothing else shares.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Final

__all__ = ["Speaker"]

_SPEAKERS: Final[weakref.WeakValueDictionary[int, Speaker]] = weakref.WeakValueDictionary()


class Speaker:
    """Stand for one callback.

    Args:
        is_preferred: Whether it was made with arguments; `report_to` makes them without.
    """

    def __init__(self, *, is_preferred: bool) -> None:
        self._is_preferred = is_preferred
        self._mark = os.urandom(8)  # a copy, such as one that was pickled, is the same callback
        self._control: weakref.ref[Any] | None = None

    def speaks(self, control: Any) -> bool:
        """Tell whether this callback logs for the Trainer of a control object."""
        speaker = _SPEAKERS.get(id(control))
        if speaker is not None and not speaker._stands_for(control):
            speaker = None  # that one's control is gone, and its id is used again
        if speaker is None or (self._is_preferred and not speaker._is_preferred):
            speaker = _SPEAKERS[id(control)] = self
            self._control = weakref.ref(control)
        return speaker._mark == self._mark

    def _stands_for(self, control: Any) -> bool:
        return self._control is not None and self._control() is control

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_control": None}
