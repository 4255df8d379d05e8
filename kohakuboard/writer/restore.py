"""Make the summaries of metrics anew from the points in Lance, where a run's database was lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..journal.format import machine_rank
from ..storage.scalars import ScalarReader, ScalarSummary
from ..storage.shards import is_of_machine
from ..storage.summary import Metric

__all__ = ["summaries"]


def summaries(directory: Path, shards: Iterable[int], host: str) -> dict[int, list[Metric]]:
    """Return the summary of each metric of a host's shards by rank, from the statistics of the chunks in
    `<run>/scalars`: that of processes, whichever rank they had, as rank 0, and that of the machine.

    At which step the lowest and the highest value came is not known, nor at which the last one did, if not at the
    highest.
    """
    known = set(shards)
    by_rank: dict[int, list[Metric]] = {}
    for found in ScalarReader(directory).metrics():
        if found.shard in known:
            rank = machine_rank(host) if is_of_machine(found.shard) else 0
            by_rank.setdefault(rank, []).append(_metric(found))
    return by_rank


def _metric(found: ScalarSummary) -> Metric:
    return Metric(
        name=found.metric,
        count=found.n,
        nonfinite=found.n_nonfinite,
        last=found.last,
        last_step=found.step_hi,
        last_time_us=found.time_hi,
        min=found.vmin,
        min_step=None,
        max=found.vmax,
        max_step=None,
        sum=found.vsum,
        step_lo=found.step_lo,
        step_hi=found.step_hi,
    )
