"""Keep the curves that charts ask for again and again: at each zoom, on each axis, as a live run grows."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final, NamedTuple

from kohakuboard.errors import MetricNotFoundError
from kohakuboard.reader import Mark, Metric, Run

from .axes import Axis, placed
from .reduce import Curve

__all__ = ["Curves", "Line", "curve_state", "summary_of"]

_MB: Final = 1024 * 1024
_LEAST_BYTES, _MOST_BYTES = 512 * _MB, 2048 * _MB


class Line(NamedTuple):
    """Name what a curve is of: a metric of a run, or a sample of the machine `host`; of one attempt, or as shown."""

    run: Path
    metric: str
    host: str | None = None
    attempt: int | None = None


class _Kept(NamedTuple):
    """Hold a curve, the state of its line that it was asked for in, and where its points end."""

    state: str
    curve: Curve
    mark: Mark | None


class Curves:
    """Turn lines into curves against an axis; the last used are kept, up to `limit_bytes`.

    Of a line that has more points than its curve only those are read that came behind.
    100 curves of 1M points take 0.9 GB. By default the limit is a quarter of the memory, from 0.5 to 2 GB.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit_bytes = _quarter_of_memory() if limit_bytes is None else limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Line, Axis], _Kept] = OrderedDict()
        self._sizes: dict[tuple[Line, Axis], int] = {}
        self._total = 0

    def kept(self, line: Line, axis: Axis, state: str) -> Curve | None:
        """Return a curve that is kept as of a state, None when there is none."""
        known = self._kept.get((line, axis))
        if known is None or known.state != state:
            return None
        self._keep((line, axis), known)
        return known.curve

    def curve(self, run: Run, line: Line, axis: Axis) -> Curve | None:
        """Return the curve of a line as the run now has it, None when no point has a place on the axis.

        The caller holds the run's lock. Raises MetricNotFoundError.
        """
        state = curve_state(run, line, axis)
        if (kept := self.kept(line, axis, state)) is not None:
            return kept
        known = self._kept.get((line, axis))
        mark, count = (known.mark, len(known.curve)) if known is not None else (None, 0)
        found = placed(run, line.metric, axis, host=line.host, attempt=line.attempt, mark=mark, known=count)
        if known is not None and not found.whole:
            curve = known.curve.grown(found.x, found.values)
        elif len(found.x):
            curve = Curve(found.x, found.values)
        else:
            return None
        self._keep((line, axis), _Kept(state, curve, found.mark))
        return curve

    def _keep(self, key: tuple[Line, Axis], kept: _Kept) -> None:
        """Put a curve last in the queue of those to let go of, and let go of what is too much."""
        with self._lock:
            size = kept.curve.nbytes
            self._kept[key] = kept
            self._kept.move_to_end(key)
            self._total += size - self._sizes.get(key, 0)
            self._sizes[key] = size
            while self._total > self._limit_bytes and len(self._kept) > 1:
                oldest, _ = self._kept.popitem(last=False)
                self._total -= self._sizes.pop(oldest)


def curve_state(run: Run, line: Line, axis: Axis) -> str:
    """Return a word that is another whenever the line has other points. Raises MetricNotFoundError."""
    known = [summary_of(run, line.metric, line.host)]
    if axis.of_metric:
        known.append(summary_of(run, axis.name, line.host))
    # What is known of a metric is what is shown of it: of an earlier attempt some is hidden, and may become more.
    hidden = [] if line.attempt is None else [run.seen_version]
    return " ".join([*(f"{metric.count}-{metric.last_time_us}" for metric in known), *hidden])


def summary_of(run: Run, metric: str, host: str | None = None) -> Metric:
    """Return what is known of a metric, or of a series of samples. Raises MetricNotFoundError."""
    known = None if host else run.metrics.get(metric)
    if known is None:
        known = run.system_metrics(host).get(metric)
    if known is None:
        raise MetricNotFoundError(run.id, metric, run.metrics)
    return known


def _quarter_of_memory() -> int:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such question on this system
        return _LEAST_BYTES
    return min(max(memory // 4, _LEAST_BYTES), _MOST_BYTES)
