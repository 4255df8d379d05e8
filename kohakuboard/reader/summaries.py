"""What a run's metrics come to: the summary of each, by rank and by machine, kept beside their points."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..journal.format import machine_rank
from ..storage.summary import Metric
from .facts import Facts

__all__ = ["Summaries", "Sums"]


class Sums(NamedTuple):
    """Hold the summaries of metrics by rank, a machine's below 0, and those of the run: of each the lowest rank's."""

    by_rank: Mapping[int, Mapping[str, Metric]]
    of_run: Mapping[str, Metric]
    last_step: int | None


class Summaries(Facts):
    """Give a run its metrics."""

    _metrics: dict[str, Metric] | None  # those of the run, when somebody has asked for them

    def _sums(self) -> Sums:
        raise NotImplementedError

    @property
    def metrics(self) -> dict[str, Metric]:
        """Return the summary of each metric by name, in order of first appearance: of what `series` returns."""
        if self._metrics is None:
            self._metrics = dict(self._sums().of_run)
        return self._metrics

    @property
    def summaries(self) -> Mapping[str, Metric]:
        """Return the same, of a run that has ended each made as it is asked for: what a list of runs keeps."""
        return self._sums().of_run

    @property
    def last_step(self) -> int | None:
        """Return the highest step that a metric was logged at."""
        return self._sums().last_step

    @property
    def summary(self) -> dict[str, Any]:
        """Return the last value of each metric, and over them what the user put into board.summary."""
        return {name: metric.last for name, metric in self.metrics.items()} | self._identity.user_summary

    @property
    def user_summary(self) -> dict[str, Any]:
        """Return what the user put into board.summary."""
        return dict(self._identity.user_summary)

    def ranks(self, name: str) -> list[int]:
        """Return the ranks that logged a metric, in ascending order; [] when none did."""
        return sorted(rank for rank, metrics in self._sums().by_rank.items() if name in metrics and rank >= 0)

    @property
    def hosts(self) -> list[str]:
        """Return the machines that were sampled, that of rank 0 first."""
        by_rank = self._sums().by_rank
        if min(by_rank, default=0) >= 0:
            return []
        known = {origin.host for origin in self._origins().values() if origin.host is not None}
        main = self._identity.process[0]
        found = {host for host in known | {main or ""} if by_rank.get(machine_rank(host))}
        return sorted(found, key=lambda host: (host != main, host))

    def system_metrics(self, host: str | None = None) -> dict[str, Metric]:
        """Return the summary of each series of samples of a machine, by default the first of `hosts`.

        They are no `metrics`: `series` returns them, too, and their steps are whole seconds since the run began.
        """
        return dict(self.system_summaries(host))

    def system_summaries(self, host: str | None = None) -> Mapping[str, Metric]:
        """Return the same as `summaries` are."""
        host = next(iter(self.hosts), None) if host is None else host
        return self._sums().by_rank.get(machine_rank(host), {}) if host is not None else {}

    @property
    def duration_s(self) -> float:
        """Return the time from start to end, or to now, or to the last sign of life, in seconds."""
        end_us = self._identity.ended_us
        if end_us is None and self.status == "running":
            end_us = time.time_ns() // 1000
        if end_us is None:
            known = [metric.last_time_us for metric in self.metrics.values()]
            end_us = max([*known, self._identity.heartbeat_us or 0])
        return max(end_us - (self._identity.started_us or end_us), 0) / 1e6
