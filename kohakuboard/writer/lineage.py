"""What depends on more than the records at hand: summaries after a run went back, and what a fork has from its parent.

Both are told by the reader, which alone knows what is shown of a run: it puts the stores, all hosts' databases and the
journal's tail together. The drain itself only ever adds up what it has just read.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import DamagedSeriesError, KohakuBoardError
from ..journal.scan import Column, join_columns
from ..reader import Run, open_run
from ..storage.catalogue import Catalogue
from ..storage.scalars import ScalarColumn, ScalarStore
from ..storage.shards import shard_number

__all__ = ["INHERITED", "inherit", "renew_summaries"]

log = logging.getLogger("kohakuboard.writer")

# The shard, and so the attempt, of the points that a fork has from its parent.
INHERITED: Final = "inherited"


def renew_summaries(run: Path, catalogue: Catalogue, budget_s: float = float("inf")) -> None:
    """Make the summaries anew that count points which are no longer shown; those that take too long, the next time."""
    stale = catalogue.stale_metrics()
    if not stale:
        return
    deadline, reader = time.monotonic() + budget_s, open_run(run)
    for rank, name, attempt in stale:
        with catalogue.transaction():
            _renew(catalogue, reader, rank, name, attempt)
        if time.monotonic() > deadline:
            return


def _renew(catalogue: Catalogue, reader: Run, rank: int, name: str, attempt: int) -> None:
    try:
        parts = [
            (one, column) for one, column in reader.parts(name, rank, committed_only=True) if len(column.seqs)
        ]
    except DamagedSeriesError as exc:
        log.warning("the summary of %r stays as it is: %s", name, exc)
        catalogue.keep_metric(rank, name)
        return
    before = [column for one, column in parts if attempt not in map(shard_number, one.shards)]
    prior_hi = max((int(column.steps.max()) for column in before), default=None)
    points = join_columns([column for _, column in parts]) if parts else _NO_POINTS
    catalogue.replace_metric(rank, name, points, prior_hi)


def inherit(run: Path, catalogue: Catalogue, scalars: ScalarStore, fork: dict[str, Any]) -> None:
    """Copy the points of a fork's parent, up to its step, into the run, once; what cannot be read is noted."""
    number = shard_number(INHERITED)
    now_us = time.time_ns() // 1000
    try:
        parent = open_run(fork["path"])
        if parent.status == "unreadable":
            # Locked, perhaps, or on its way: the next flush tries again.
            log.warning("the points of %s cannot be had yet: %s", fork["run"], parent.error)
            return
        columns = _points_of(parent, fork["step"])
    except (KohakuBoardError, OSError) as exc:
        with catalogue.transaction():
            catalogue.add_problems(now_us, [f"the points of {fork['run']} could not be had: {exc}"])
            catalogue.adopt(INHERITED, {}, now_us)
        return
    if columns:
        highest = max(int(column.seqs[-1]) for column in columns.values())
        scalars.append([ScalarColumn(name, number, *c) for name, c in columns.items()], {number: highest})
    with catalogue.transaction():
        catalogue.adopt(INHERITED, columns, now_us)


def _points_of(parent: Run, step: int) -> dict[str, Column]:
    found = {}
    for name in parent.metrics:
        series = parent.series(name)
        which = np.flatnonzero(series.step <= step)
        # The store wants rising seqs.
        which = which[np.argsort(series.seq[which], kind="stable")]
        if len(which):
            times = series.time[which].astype(np.int64)
            found[name] = Column(series.seq[which], series.step[which], times, series.value[which])
    if not found:
        return {}
    # Numbered anew as the records of one shard; which points were logged together is kept.
    calls = np.unique(np.concatenate([column.seqs for column in found.values()]))
    return {
        name: column._replace(seqs=np.searchsorted(calls, column.seqs).astype(np.int64))
        for name, column in found.items()
    }


_NONE: Final = np.empty(0, dtype=np.int64)
_NO_POINTS: Final = Column(_NONE, _NONE, _NONE, np.empty(0))
