"""The journal's tail: what was logged and is not committed yet, kept up to date from call to call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..journal.directory import shard_directories
from ..journal.format import ShardIdentity
from ..journal.losses import loss_text
from ..journal.process import is_alive
from ..journal.scan import Batch, Column, Damage, Event, ShardCursor, merge_events
from ..storage.overview import ShardOrigin

__all__ = ["Tail"]


class _ShardTail:
    def __init__(self, directory: Path) -> None:
        self.cursor = ShardCursor(directory)
        self.batch = Batch()

    def damage(self, *, over: bool) -> list[Damage]:
        identity = self.cursor.identity
        alive = is_alive(identity.host, identity.pid, identity.process_start) if identity else None
        ended = over if alive is None else not alive
        return [*self.batch.damage, *(self.cursor.ending() if ended else ())]


class Tail:
    """Follow all shards of a run's journal.

    Read the tail before the stores: what is committed in between is then seen twice, and is told by its seq, while
    the other way round it would be missed.
    """

    def __init__(self, journal: str | Path) -> None:
        self._journal = journal
        self._shards: dict[str, _ShardTail] = {}

    def read(self) -> None:
        """Take in what was appended since the last call."""
        for directory in shard_directories(Path(self._journal)):
            shard = self._shards.setdefault(directory.name, _ShardTail(directory))
            shard.batch.extend(shard.cursor.read())

    def forget(self, committed: Mapping[str, int]) -> None:
        """Let go of what is committed; `committed` gives the last committed seq of each shard."""
        for name, shard in self._shards.items():
            seq = committed.get(name, -1)
            if seq >= 0:
                shard.batch.forget(seq)

    @property
    def last_seqs(self) -> dict[str, int]:
        """Return the highest seq seen of each shard."""
        return {name: shard.batch.last_seq for name, shard in self._shards.items()}

    @property
    def origins(self) -> dict[str, ShardOrigin]:
        """Return where each shard comes from, as far as its first segment is there."""
        return {
            name: ShardOrigin(identity.rank, identity.started_ns // 1000, identity.parent, identity.host)
            for name, shard in self._shards.items()
            if (identity := shard.cursor.identity)
        }

    def damage(self, *, over: bool) -> list[str]:
        """Return what was found damaged, in words; `over`: the run has ended.

        How the last segment of a shard ends is looked at when its process is gone: before that it is being written to.
        """
        return [damage.text for shard in self._shards.values() for damage in shard.damage(over=over)]

    def losses(self) -> list[str]:
        """Return what was dropped, in words."""
        return [loss_text(event.body) for event, _ in self.events() if event.body["type"] == "dropped"]

    def events(self) -> list[tuple[Event, ShardIdentity]]:
        """Return the events in the order of their time, each with who wrote it."""
        if not self._shards:
            return []
        return merge_events(
            (shard.batch.events, shard.cursor.identity)
            for shard in self._shards.values()
            if shard.cursor.identity
        )

    def columns(self, metric: str) -> dict[str, Column]:
        """Return the points of a metric by shard."""
        return {
            name: shard.batch.columns[metric]
            for name, shard in self._shards.items()
            if metric in shard.batch.columns
        }

    def all_columns(self) -> dict[str, dict[str, Column]]:
        """Return the points of every metric by shard."""
        return {name: shard.batch.columns for name, shard in self._shards.items()}
