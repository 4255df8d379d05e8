"""What a reading of the journal finds: points in columns, events, rich values, and damage in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["FOR_GOOD", "Batch", "Column", "Damage", "Event", "RichItem", "join_columns", "merge_events"]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Source = TypeVar("Source")

FOR_GOOD: Final = 2**63 - 1


class Column(NamedTuple):
    """Hold points of one metric in log order: four arrays of length n; `times` in µs since 1970 UTC."""

    seqs: Int64
    steps: Int64
    times: Int64
    values: Float64

    def take(self, which: slice | Int64) -> Column:
        """Return some of the points."""
        return Column(self.seqs[which], self.steps[which], self.times[which], self.values[which])

    def after(self, seq: int) -> Column:
        """Return the points with a higher seq."""
        start = int(np.searchsorted(self.seqs, seq, side="right"))
        return self if start == 0 else self.take(slice(start, None))

    def up_to(self, seq: int) -> Column:
        """Return the points with this seq or a lower one."""
        stop = int(np.searchsorted(self.seqs, seq, side="right"))
        return self if stop == len(self.seqs) else self.take(slice(stop))


class Event(NamedTuple):
    """Hold one event; `time_us` in µs since 1970 UTC."""

    seq: int
    step: int
    time_us: int
    body: dict[str, Any]


class RichItem(NamedTuple):
    """Hold one rich value: `body` as the training process wrote it."""

    seq: int
    step: int
    time_us: int
    body: dict[str, Any]


class Damage(NamedTuple):
    """Say what is damaged, in words that are the same whoever finds it.

    Where a shard is committed up to `settled`, its writer has noted this already, or nothing was amiss: the records
    that seem to be missing had been stored, and their segments deleted. FOR_GOOD: it stays damage in any case.
    """

    text: str
    settled: int = FOR_GOOD


@dataclass(slots=True)
class Batch:
    """Hold what one reading found. `last_seq` is -1 when it found nothing."""

    columns: dict[str, Column] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    items: list[RichItem] = field(default_factory=list)
    last_seq: int = -1
    n_bytes: int = 0
    damage: list[Damage] = field(default_factory=list)

    @property
    def n_points(self) -> int:
        """Return the number of scalar points."""
        return sum(len(column.seqs) for column in self.columns.values())

    def extend(self, other: Batch) -> None:
        """Take in what a later reading of the same shard found."""
        join = _Joins()
        for name, column in other.columns.items():
            known = self.columns.get(name)
            self.columns[name] = column if known is None else join(known, column)
        self.events += other.events
        self.items += other.items
        self.last_seq = max(self.last_seq, other.last_seq)
        self.n_bytes += other.n_bytes
        self.damage += other.damage

    def forget(self, seq: int) -> None:
        """Let go of what came up to a seq, and of damage that is settled with it."""
        columns = {name: column.after(seq) for name, column in self.columns.items()}
        self.columns = {name: column for name, column in columns.items() if len(column.seqs)}
        self.events = [event for event in self.events if event.seq > seq]
        self.items = [item for item in self.items if item.seq > seq]
        self.damage = [damage for damage in self.damage if damage.settled > seq]


class _Joins:
    """Put columns behind one another two by two; arrays that several of them share are joined once, and shared."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], Any] = {}

    def __call__(self, first: Column, second: Column) -> Column:
        return Column(*(self._joined(*pair) for pair in zip(first, second, strict=True)))

    def _joined(self, first: Any, second: Any) -> Any:
        pair = id(first), id(second)
        made = self._made.get(pair)
        if made is None:
            made = self._made[pair] = np.concatenate((first, second))
        return made


def join_columns(columns: Sequence[Column]) -> Column:
    """Put the points of several columns, each in log order, behind one another."""
    if len(columns) == 1:
        return columns[0]
    return Column(*(np.concatenate(arrays) for arrays in zip(*columns, strict=True)))


def merge_events(sources: Iterable[tuple[Sequence[Event], Source]]) -> list[tuple[Event, Source]]:
    """Put the events of several shards in the order of their time, never changing the order within a shard.

    A clock may be set back: an event counts as no earlier than those before it in its shard.
    """
    timed: list[tuple[int, Event, Source]] = []
    for events, source in sources:
        latest = 0
        for event in events:
            latest = max(latest, event.time_us)
            timed.append((latest, event, source))
    return [(event, source) for _, event, source in sorted(timed, key=lambda entry: entry[0])]
