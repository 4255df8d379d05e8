"""Make the summaries of metrics anew from the points in Lance, where a run's database was lost."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from ..storage.scalars import ScalarReader, ScalarSummary
from ..storage.summary import Metric

__all__ = ["summaries"]


def summaries(directory: Path, shards: Container[int]) -> list[Metric]:
    """Return the summary of each metric of some shards, from the statistics of the chunks in `<run>/scalars`.

    At which step the lowest and the highest value came is not known, nor at which the last one did, if not at the
    highest.
    """
    return [_metric(found) for found in ScalarReader(directory).metrics() if found.shard in shards]


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
