"""Put the attempts of a run into rows: what each did, from which step to which, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kohakuboard.errors import KohakuBoardError
from kohakuboard.reader import Attempt, Run

from .kept import Kept

__all__ = ["Turn", "turns_of"]

_MOST: Final = 50  # each costs a read of one metric
_KEPT_BYTES: Final = 4 * 1024 * 1024

_Extents = dict[tuple[int, int], tuple[int, int]]
_EXTENTS: Final = Kept[_Extents](_KEPT_BYTES, lambda known: 200 + 100 * len(known))


@dataclass(frozen=True, slots=True)
class Turn:
    """Hold an attempt and the steps that it logged, None where that is not known."""

    attempt: Attempt
    first: int | None
    last: int | None

    @property
    def duration_s(self) -> float | None:
        """Return how long it took; None while it runs, or where its end is not known."""
        end = self.attempt.ended
        return None if end is None else max((end - self.attempt.started).total_seconds(), 0.0)


def turns_of(run: Run) -> list[Turn]:
    """Return the attempts, the latest first, of rank 0 before others."""
    attempts = run.attempts
    if len(attempts) == 1:
        lowest = min((metric.step_lo for metric in run.metrics.values()), default=None)
        return [Turn(attempts[0], lowest, run.last_step)]
    shown = sorted(attempts, key=lambda one: (one.rank, -one.number))[:_MOST]
    extents = _EXTENTS.get(run.path, run.seen_version, lambda: _extents(run, shown))
    return [Turn(one, *extents.get((one.rank, one.number), (None, None))) for one in shown]


def _extents(run: Run, attempts: Sequence[Attempt]) -> _Extents:
    """Return the first and the last step of attempts, as the metric that went farthest with the fewest points says."""
    found: _Extents = {}
    metrics = sorted(run.metrics.values(), key=lambda one: (-one.step_hi, one.count))
    for one in attempts:
        name = next((metric.name for metric in metrics if one.rank in run.ranks(metric.name)), None)
        if name is None:
            continue
        try:
            steps = run.series(name, rank=one.rank, attempt=one.number).step
        except KohakuBoardError:
            continue  # this attempt logged none of it
        found[one.rank, one.number] = int(steps.min()), int(steps.max())
    return found
