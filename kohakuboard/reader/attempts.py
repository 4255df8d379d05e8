"""Who logged what: shards put into attempts, attempts into ranks, and which points of them a curve shows.

A run has one attempt for each time that a process took it up. Each rank of a distributed job has attempts of its own,
told apart without any coordination: by the number that a board found out when it continued the run, else by when they
began. A process that takes up again what it had finished itself goes on with its attempt. A shard that began none, such
as a forked child's, belongs to its parent's attempt.

What a curve shows of the attempts of a rank is what the last of them says of each step: an attempt supersedes all that
earlier ones logged beyond the step of the checkpoint it went on from (`at_step`), and what they logged at a step that
it logs at, too. Where no `at_step` was given, an attempt goes on from the step before its first of that metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..storage.overview import Beginning, ShardOrigin

__all__ = ["Attempt", "RankStatistics", "attempts_of", "shown", "statistics_by_step"]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process's turn at a run. `number` counts from 1 within its rank; 0 is what a fork has from its parent."""

    number: int
    rank: int
    at_step: int | None
    status: str
    error: str | None
    started: datetime
    ended: datetime | None
    host: str | None
    pid: int | None
    process_start: int | None  # the kernel's start mark of the process
    shards: tuple[str, ...]


class RankStatistics(NamedTuple):
    """Hold, for each of n steps, what the ranks that logged a metric there say: arrays of length n."""

    step: Int64
    mean: Float64
    min: Float64
    max: Float64
    n_ranks: Int64


def attempts_of(shards: Mapping[str, ShardOrigin], beginnings: Mapping[str, Beginning]) -> list[Attempt]:
    """Put all shards into attempts: rank after rank, in order within each; `beginnings` are by shard, too."""
    members: dict[str, list[str]] = {name: [name] for name in beginnings}
    orphans: dict[int, list[str]] = {}
    for name, origin in sorted(shards.items(), key=lambda entry: (entry[1].started_us, entry[0])):
        if name in beginnings:
            continue
        head = _ancestor(name, shards, beginnings) or _latest(origin, shards, beginnings)
        if head is not None:
            members[head].append(name)
        else:
            orphans.setdefault(origin.rank, []).append(name)
    found: list[Attempt] = []
    for rank in sorted({origin.rank for origin in shards.values()}):
        if rank in orphans:
            found.append(_unbegun(rank, orphans[rank], shards))
        heads = [name for name in beginnings if name in shards and shards[name].rank == rank]
        # A board that could not read the run it continued knows no number: then the time tells.
        numbers = {name: beginnings[name].number for name in heads}
        if None in numbers.values():
            numbers = dict.fromkeys(heads, 0)
        heads.sort(key=lambda name: (numbers[name], beginnings[name].started_us, name))
        start = 0 if heads and beginnings[heads[0]].number == 0 else 1
        for place, turn in enumerate(_by_number(heads, beginnings), start=start):
            shards_of_turn = tuple(member for head in turn for member in members[head])
            found.append(_begun(place, rank, [beginnings[head] for head in turn], shards_of_turn))
    return found


def shown(parts: Sequence[tuple[int | None, Int64]]) -> list[NDArray[np.bool_]]:
    """Tell which points of each attempt are shown: `parts` are `at_step` and steps, in the order of attempts."""
    masks: list[NDArray[np.bool_]] = []
    cut, later = np.iinfo(np.int64).max, np.empty(0, dtype=np.int64)
    for at_step, steps in reversed(parts):
        mask = steps <= cut
        if len(later):
            # Of most attempts none is: to look each step up takes longer than all else.
            met = np.flatnonzero(mask & (steps >= later.min()))
            mask[met] = ~np.isin(steps[met], later)
        masks.append(mask)
        own_cut = at_step
        if own_cut is None and len(steps):
            own_cut = int(steps.min()) - 1
        if own_cut is not None:
            cut = min(cut, max(own_cut, np.iinfo(np.int64).min))
        later = np.concatenate((later[later <= cut], steps[steps <= cut]))
    return masks[::-1]


def statistics_by_step(ranks: Iterable[tuple[Int64, Float64]]) -> RankStatistics:
    """Return mean, minimum and maximum over ranks at each step; of a rank's points at a step the last counts."""
    last: list[tuple[Int64, Float64]] = []
    for steps, values in ranks:
        unique, first = np.unique(steps[::-1], return_index=True)
        last.append((unique, values[::-1][first]))
    every_step = np.concatenate([steps for steps, _ in last])
    every_value = np.concatenate([values for _, values in last])
    order = np.argsort(every_step, kind="stable")
    step, start, count = np.unique(every_step[order], return_index=True, return_counts=True)
    values = every_value[order]
    return RankStatistics(
        step,
        np.add.reduceat(values, start) / count,
        np.minimum.reduceat(values, start),
        np.maximum.reduceat(values, start),
        count,
    )


def _ancestor(
    name: str, shards: Mapping[str, ShardOrigin], beginnings: Mapping[str, Beginning]
) -> str | None:
    """Return the shard that began the attempt of the process that a shard's was forked from."""
    parent = shards[name].parent
    for _ in range(len(shards) + 1):
        if parent is None or parent in beginnings:
            return parent
        parent = shards[parent].parent if parent in shards else None
    return None


def _latest(
    origin: ShardOrigin, shards: Mapping[str, ShardOrigin], beginnings: Mapping[str, Beginning]
) -> str | None:
    """Return what began the last attempt of a shard's rank before the shard, else the first of that rank."""
    of_rank = [name for name in beginnings if name in shards and shards[name].rank == origin.rank]
    of_rank.sort(key=lambda name: beginnings[name].started_us)
    before = [name for name in of_rank if beginnings[name].started_us <= origin.started_us]
    return before[-1] if before else next(iter(of_rank), None)


def _by_number(heads: Sequence[str], beginnings: Mapping[str, Beginning]) -> list[list[str]]:
    """Put together what has one number: a process that took up again what it had finished itself."""
    turns: list[list[str]] = []
    for head in heads:
        number = beginnings[head].number
        if turns and number is not None and number == beginnings[turns[-1][0]].number:
            turns[-1].append(head)
        else:
            turns.append([head])
    return turns


def _begun(place: int, rank: int, beginnings: Sequence[Beginning], shards: tuple[str, ...]) -> Attempt:
    first, last = beginnings[0], beginnings[-1]
    host, pid, process_start = last.process
    return Attempt(
        number=first.number if first.number is not None else place,
        rank=rank,
        at_step=first.at_step,
        status=last.status,
        error=last.error,
        started=_datetime(first.started_us),
        ended=_datetime(last.ended_us) if last.ended_us is not None else None,
        host=host,
        pid=pid,
        process_start=process_start,
        shards=shards,
    )


def _unbegun(rank: int, names: list[str], shards: Mapping[str, ShardOrigin]) -> Attempt:
    started = _datetime(shards[names[0]].started_us)
    return Attempt(1, rank, None, "running", None, started, None, None, None, None, tuple(names))


def _datetime(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1e6, tz=timezone.utc)
