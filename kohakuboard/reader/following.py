"""Follow a series as it grows, reading each point once.

Within a shard points are only ever added, in the order of their seqs, and never change; merges put them elsewhere and
leave them as they are. So whoever has read a series knows it as long as he knows of each shard up to which seq he has
read it, and how many points there were: a mark. What comes behind is all that is new, if

* there are still as many points up to that seq: none was lost, and none came late;
* the attempts are the same, and in them the shards: who logs again what an earlier attempt had logged, hides it;
* only one shard of the last attempt has added any, since the points of several are put in the order of their times;
* no new one lies at a step, or below it, from which on the last attempt hides those before it.

Where one of these does not hold the series has to be read as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..journal.scan import Column
from .attempts import Attempt
from .stores import NO_POINTS, Stretch

__all__ = ["Asked", "Followed", "Mark", "mark_of", "newer_than"]


class Asked(NamedTuple):
    """Say which series is followed: of which run, told by its start, and what of a metric."""

    started_us: int
    name: str
    rank: int
    attempt: int | None


class _Turn(NamedTuple):
    number: int
    at_step: int | None
    shards: tuple[str, ...]


class _Reach(NamedTuple):
    """Hold up to which seq a shard was read, and how many points that are."""

    seq: int
    known: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Say how far a series was read. To be given back to `Run.follow`, and of no other use.

    `head` is the shard that may add points, at steps above `floor`; None where none may: the last attempt has no points
    yet, or several processes log them.
    """

    asked: Asked
    turns: tuple[_Turn, ...]
    reaches: Mapping[str, _Reach]
    head: str | None
    floor: int | None

    @property
    def seqs(self) -> dict[str, int]:
        """Return the seq up to which each shard was read."""
        return {shard: reach.seq for shard, reach in self.reaches.items()}

    def going_on(self, tail: Mapping[str, Column]) -> dict[str, Stretch]:
        """Return the stretches behind the mark where all that came then is in the journal's tail."""
        stretches = {}
        for shard in self.reaches.keys() | tail.keys():
            seq, known = self.reaches.get(shard, _Reach(-1, 0))
            newer = tail.get(shard, NO_POINTS).after(seq)
            last = [seq, *newer.seqs[-1:].tolist()][-1]
            lowest = int(newer.steps.min()) if len(newer.steps) else 0
            stretches[shard] = Stretch(known, newer, last, lowest)
        return stretches


class Followed(NamedTuple):
    """Hold points of a series in log order, in arrays of length n: all of them, or those behind a mark.

    `time` (µs, UTC) is None where it was not asked for. `mark` says where they end, and is None where that cannot be
    told, as when points were stored while they were read.
    """

    step: range | NDArray[np.int64]
    value: NDArray[np.float64]
    time: NDArray[np.datetime64] | None
    mark: Mark | None
    whole: bool


def mark_of(asked: Asked, attempts: Iterable[Attempt], stretches: Mapping[str, Stretch]) -> Mark:
    """Return where the points of some attempts end that are read now."""
    turns = _turns(attempts)
    own = _of_turns(turns, stretches)
    heads = [shard for shard in turns[-1].shards if shard in own] if turns else []
    head = heads[0] if len(heads) == 1 else None
    floor = None
    if head is not None and len(own) > 1:
        at_step = turns[-1].at_step
        floor = own[head].lowest_step - 1 if at_step is None else at_step
    reaches = {shard: _Reach(stretch.seq, stretch.known) for shard, stretch in own.items()}
    return Mark(asked, turns, reaches, head, floor)


def newer_than(
    mark: Mark, asked: Asked, attempts: Iterable[Attempt], stretches: Mapping[str, Stretch]
) -> tuple[Column, Mark] | None:
    """Return the points behind a mark and where those end, None where more happened than that they were added.

    `stretches` are what came after `mark.seqs`.
    """
    turns = _turns(attempts)
    own = _of_turns(turns, stretches)
    if (mark.asked, mark.turns, mark.reaches.keys()) != (asked, turns, own.keys()):
        return None
    if any(own[shard].known != reach.known for shard, reach in mark.reaches.items()):
        return None
    if any(len(stretch.newer.seqs) for shard, stretch in own.items() if shard != mark.head):
        return None
    newer = own[mark.head].newer if mark.head is not None else NO_POINTS
    if mark.floor is not None and len(newer.steps) and int(newer.steps.min()) <= mark.floor:
        return None
    reaches = {
        shard: _Reach(stretch.seq, stretch.known + len(stretch.newer.seqs)) for shard, stretch in own.items()
    }
    return newer, replace(mark, reaches=reaches)


def _turns(attempts: Iterable[Attempt]) -> tuple[_Turn, ...]:
    return tuple(_Turn(one.number, one.at_step, one.shards) for one in attempts)


def _of_turns(turns: Sequence[_Turn], stretches: Mapping[str, Stretch]) -> dict[str, Stretch]:
    return {shard: stretches[shard] for turn in turns for shard in turn.shards if shard in stretches}
