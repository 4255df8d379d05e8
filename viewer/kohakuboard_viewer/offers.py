"""Which tabs a run has something for, found out once for each state of the run."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kohakuboard.reader import Run

from .tabs import TABS

__all__ = ["Offers"]

_KEPT: Final = 64


class Offers:
    """Count what each tab has to show."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, tuple[str, Mapping[str, int]]] = OrderedDict()

    def of(self, run: Run) -> Mapping[str, int]:
        """Return how much there is for each tab, by its path."""
        state = "\n".join(tab.version(run) for tab in TABS)
        with self._lock:
            known, counts = self._kept.get(run.path, (None, {}))
        if known != state:
            counts = {tab.path: tab.count(run) for tab in TABS}
            with self._lock:
                self._kept[run.path] = state, counts
                self._kept.move_to_end(run.path)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return counts
