"""One shard as its writer has it: where it is read, what of it is stored, and what was read and is not stored yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..journal.process import is_alive
from ..journal.scan import Batch, Column, RichItem, ShardCursor
from ..journal.stage import STAGED_SUFFIX

__all__ = ["Source", "staged_names"]


class Source:
    """One shard: where it is read, what of it is stored, and what was read and is not stored yet."""

    def __init__(self, directory: Path) -> None:
        self.cursor = ShardCursor(directory)
        self.number = self.stored = self.summarised = -1
        self.attempt: int | None = None
        self.pending = Batch()
        self.staged_bytes = 0
        self.finished = False

    @property
    def directory(self) -> Path:
        """Return where its segments lie."""
        return self.cursor.directory

    @property
    def is_of_machine(self) -> bool:
        """Tell whether it holds samples that a writer took: they can wait, as nobody waits for them."""
        return self.cursor.identity is not None and self.cursor.identity.rank < 0

    @property
    def is_pending(self) -> bool:
        """Tell whether anything was read that is not committed."""
        return self.pending.last_seq >= 0 or bool(self.pending.damage)

    def take(self, batch: Batch) -> None:
        """Take in what was read and is to be stored."""
        self.pending.extend(batch)
        # Values that were logged together may share one file.
        for name in {name for item in batch.items for name in staged_names(item.body)}:
            with suppress(OSError):
                self.staged_bytes += os.stat(self.directory / name).st_size

    def committed(self) -> None:
        """Let go of what was read: it is stored."""
        self.pending = Batch()
        self.staged_bytes = 0

    def has_ended(self) -> bool:
        """Tell whether nobody will append to the shard any more."""
        identity = self.cursor.identity
        if self.finished or identity is None:
            return self.finished
        # What another host left is here only because nothing is heard of that any more.
        return not is_alive(identity.host, identity.pid, identity.process_start)

    def unsummarised(self) -> dict[str, Column]:
        """Return the points that are in no summary yet; those that Lance had when the summaries were lost are."""
        columns = {name: column.after(self.summarised) for name, column in self.pending.columns.items()}
        return {name: column for name, column in columns.items() if len(column.seqs)}

    def place(self, item: RichItem) -> dict[str, Any]:
        """Return the columns that say where a rich value was logged."""
        return {
            "shard": self.number,
            "seq": item.seq,
            "step": item.step,
            "time_us": item.time_us,
            "name": item.body["name"],
            "position": item.body["index"],
        }


def staged_names(value: Any) -> Iterator[str]:
    """Yield the names of the staged files that an item names, at any depth of it."""
    if isinstance(value, dict):
        if str(value.get("staged", "")).endswith(STAGED_SUFFIX):
            yield os.path.basename(value["staged"])
        else:
            for inner in value.values():
                yield from staged_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from staged_names(inner)
