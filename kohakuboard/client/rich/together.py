"""Histograms of many tensors at once: the gradients of a model.

What lies on a GPU is counted there, all of a device in one pass and with one small copy to the host. What lies in the
host's memory is handed over raw, all of it in one staged file, and the writer counts: to write values takes training a
fraction of the time of counting them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from ...errors import RichValueError
from ...journal.stage import Stage
from .base import Rich
from .histogram import Precision, late_item, valid_bins, valid_precision
from .numbers import Numbers, numbers
from .on_device import count_on_device, is_elsewhere

__all__ = ["histograms_of"]


def histograms_of(tensors: Mapping[str, Any], bins: int, precision: Precision) -> dict[str, Rich]:
    """Return a histogram of each tensor, as it is when they are logged; those of one GPU as they are now.

    Raises RichValueError for bins or a precision that cannot be.
    """
    bins, precision = valid_bins(bins), valid_precision(precision)
    made: dict[str, Rich] = {}
    by_device: dict[Any, list[str]] = {}
    here: dict[str, Numbers] = {}
    for name, tensor in tensors.items():
        if is_elsewhere(tensor):
            by_device.setdefault(tensor.device, []).append(name)
            continue
        try:
            here[name] = numbers("Histogram", tensor)
        except RichValueError as exc:
            made[name] = _Refused(exc)
    for names in by_device.values():
        counts = count_on_device([tensors[name] for name in names], bins)
        for place, name in enumerate(names):
            made[name] = _Part(partial(late_item, counts, place, precision=precision))
    staged = _OneFile([*here.values()])
    for place, name in enumerate(here):
        made[name] = _Part(partial(_raw_item, staged, place, bins, precision))
    return {name: made[name] for name in tensors}


def _raw_item(staged: _OneFile, place: int, bins: int, precision: Precision, stage: Stage) -> dict[str, Any]:
    values = staged.item(place, stage)
    return {"type": "histogram", "bins": bins, "range": None, "precision": precision, "values": values}


class _Part(Rich):
    """One histogram of several."""

    def __init__(self, make: Callable[[Stage], dict[str, Any]]) -> None:
        self._make = make

    def _item(self, stage: Stage) -> dict[str, Any]:
        return self._make(stage)


class _Refused(Rich):
    """One that cannot be used."""

    def __init__(self, problem: RichValueError) -> None:
        self._problem = problem


class _OneFile:
    """Arrays that are staged together when the first of them is asked for."""

    def __init__(self, arrays: Sequence[Numbers]) -> None:
        self._arrays = arrays
        self._data: dict[str, Any] | None = None

    def item(self, place: int, stage: Stage) -> dict[str, Any]:
        """Return what stands for one of them."""
        if self._data is None:
            self._data = stage.data(*(array.bytes() for array in self._arrays))
            self._offsets = [0, *accumulate(array.array.nbytes for array in self._arrays)]
        array, begin, end = self._arrays[place], self._offsets[place], self._offsets[place + 1]
        described = {"dtype": array.dtype, "shape": list(array.array.shape)}
        if "data" in self._data:
            return {**described, "data": self._data["data"][begin:end]}
        return {**described, **self._data, "offset": begin}
