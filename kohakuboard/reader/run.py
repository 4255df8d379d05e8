"""One run, read whole: what is committed in Lance and SQLite, merged with the journal's tail.

The tail is read first and the stores after it, so nothing falls between the two; what is in both is told by its seq.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import NotARunError
from ..storage.annotations import Annotations
from ..storage.overview import CatalogueSnapshot
from ..storage.summary import Metric
from .catalogue import catalogue_paths, stamp
from .console import Console, read_console
from .facts import NOTHING_SAID
from .identity import Identity, describe, true_status
from .reading import Placed
from .scalars import ByStep, Series
from .stores import Stores
from .summaries import Sums
from .sums import SummedUp, Tally
from .tail import Tail
from .values import RichValues

__all__ = ["ByStep", "Run", "Series", "open_run"]


def open_run(path: str | Path) -> Run:
    """Open the run in a directory for reading. Raises NotARunError when there is none."""
    directory = Path(path)
    if not directory.is_dir():
        raise NotARunError(directory, "there is no such directory")
    if not is_run(directory):
        raise NotARunError(directory, "it holds neither run.db, nor a journal, nor points")
    return Run(directory)


def is_run(directory: Path) -> bool:
    """Tell whether a directory looks like a run, or like what is left of one."""
    try:
        return (
            (directory / "run.db").is_file()
            or (directory / "journal").is_dir()
            or bool(catalogue_paths(directory))
            or any(directory.glob("scalars/*.lance"))
        )
    except OSError:
        return False  # somebody's private directory


class Run(SummedUp, RichValues):
    """Give access to one run. A snapshot: `refresh` moves it on. Not for use by two threads at once."""

    def __init__(self, path: str | Path) -> None:
        # As text: of 10 000 runs in a list few are asked for more, and a Path takes as long to make as a file to read.
        self._directory = path if isinstance(path, str) else str(path.absolute())
        folder, _, self._own_id = self._directory.rpartition(os.sep)
        self._folder = folder.rpartition(os.sep)[2]
        self._names: Sequence[str] = ()
        self._tail = Tail(f"{self._directory}/journal")
        self._whole_tail: tuple[str, Tail] | None = None
        self._snapshot = CatalogueSnapshot()
        self._stamp: tuple[Any, ...] = ()
        self._details: tuple[tuple[Any, ...], dict[str, dict[str, Any]]] | None = None
        self._unreadable: str | None = None
        self._journal_unreadable: str | None = None
        self._identity = Identity(self._own_id, self._own_id, self._folder)
        self._given_name = self._own_id
        self._status = "running"
        self._annotated: tuple[tuple[int, ...], Annotations] = (), NOTHING_SAID
        self._annotations_unreadable: str | None = None
        self._stores = Stores(self._directory)
        self._placed: Placed | None = None
        self._summed: Sums | None = None
        self._tallies: dict[tuple[int, str], Tally] = {}
        self._metrics: dict[str, Metric] | None = None
        self._version = ""
        self.refresh()

    def __repr__(self) -> str:
        return f"<Run {self.project}/{self.id} ({self.status})>"

    def console(self, rank: int = 0, *, last: int | None = None) -> Console:
        """Return the lines that a rank printed, or the last few of them, which is quick however many there are."""
        return read_console(self.path, rank, last)

    # Keeping up

    @property
    def version(self) -> str:
        """Return a token that changes whenever there is something new to see; refreshes."""
        self.refresh()
        return self._version

    @property
    def seen_version(self) -> str:
        """Return that token as of the last refresh."""
        return self._version

    @property
    def stored_version(self) -> str:
        """Return a token that also changes when what was logged is stored, and media, tables and texts can be read."""
        stored = hash(tuple(sorted(self._committed().items()))) & 0xFFFFFFFFFFFF
        return f"{self._version}-{stored:x}"

    def refresh(self) -> bool:
        """Move on to what is there now; True when anything changed. Cheap when nothing did."""
        self._read_tail()
        found = stamp(self._directory, self._names)
        reread = found != self._stamp
        if reread:
            self._stamp = found if self._read_catalogue() else ()
        # Always: a flush may have come between the two readings, and its records into the tail only now.
        self._tail.forget(self._committed())
        self._identity = describe(self._snapshot, self._tail.events(), self._folder, self._own_id)
        self._status = (
            "unreadable" if self._unreadable or self._journal_unreadable else true_status(self._identity)
        )
        self._annotate()
        seqs = self._tail.last_seqs
        for name, seq in self._committed().items():
            seqs[name] = max(seqs.get(name, -1), seq)
        version = (
            f"{self._status}-{self._identity.ended_us}-{hash(tuple(sorted(seqs.items()))) & 0xFFFFFFFFFFFF:x}"
        )
        if self._annotated[0]:
            version += f"-{hash(self._annotated[0]) & 0xFFFFFFFF:x}"
        changed = version != self._version
        if changed:
            self._version = version
            self._placed = None
        if changed or reread:  # summaries may have been made anew, of the same points
            self._summed = self._metrics = None
        return changed
