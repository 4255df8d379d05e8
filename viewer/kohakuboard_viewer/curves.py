"""Keep the curves that charts ask for again and again: at each zoom, on each axis, as a live run grows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from kohakuboard.errors import MetricNotFoundError
from kohakuboard.reader import Metric, Run, Series

from .reduce import Curve

__all__ = ["AXES", "Axis", "Curves", "curve_state"]

Axis = Literal["step", "index", "relative", "wall"]
AXES: Final[tuple[Axis, ...]] = get_args(Axis)

_LIMIT_BYTES: Final = 512 * 1024 * 1024


_Key = tuple[Path, str, "str | None"]


class _Kept(NamedTuple):
    state: str
    series: Series
    by_axis: dict[Axis, Curve]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.series) + sum(
            curve.nbytes for curve in list(self.by_axis.values())
        )


class Curves:
    """Turn a metric of a run into a Curve against an axis; the last used are kept, up to `limit_bytes`."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._sizes: dict[_Key, int] = {}

    def curve(self, run: Run, metric: str, axis: Axis, host: str | None = None) -> Curve:
        """Return the curve of a metric as the run now has it; the caller holds the run's lock.

        x counts steps, points in log order, µs since the run began, or µs since 1970. Raises
        MetricNotFoundError. Of samples of a machine, those of `host`, by default of the first.
        """
        state = curve_state(run, metric, host)
        kept = self._kept.get((run.path, metric, host))
        if kept is None or kept.state != state:
            kept = _Kept(state, run.series(metric, host=host), {})
        if (curve := kept.by_axis.get(axis)) is None:
            curve = kept.by_axis[axis] = Curve(_positions(kept.series, axis, run), kept.series.value)
        self._keep((run.path, metric, host), kept)
        return curve

    def _keep(self, key: _Key, kept: _Kept) -> None:
        """Put a metric last in the queue of those to let go of, and let go of what is too much."""
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            self._sizes[key] = kept.nbytes
            total = sum(self._sizes.values())
            while total > self._limit_bytes and len(self._kept) > 1:
                oldest, _ = self._kept.popitem(last=False)
                total -= self._sizes.pop(oldest)


def curve_state(run: Run, metric: str, host: str | None = None) -> str:
    """Return a word that is another whenever the metric has other points. Raises MetricNotFoundError."""
    sampled = run.system_metrics(host)
    known: Metric | None = sampled.get(metric) if host else run.metrics.get(metric) or sampled.get(metric)
    if known is None:
        raise MetricNotFoundError(run.id, metric, run.metrics)
    return f"{known.count}-{known.last_time_us}"


def _positions(series: Series, axis: Axis, run: Run) -> npt.NDArray[np.int64]:
    if axis == "step":
        return series.step
    if axis == "index":
        return np.arange(len(series.step))
    times = series.time.astype("datetime64[us]").astype(np.int64)
    return times if axis == "wall" else times - round(run.started.timestamp() * 1e6)
