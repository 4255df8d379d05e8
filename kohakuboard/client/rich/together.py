"""Histograms of many tensors at once: the gradients of a model.

What lies on a GPU is counted there, all of a device in one pass and with one small copy to the host. What lies in the
host's memory is handed over as places, see places.py, all of it in one staged file, and the writer counts. Together
they are one value to log: to make an object of each would take a model of many small tensors longer than all the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ...errors import RichValueError
from ...journal.stage import Stage
from .base import Rich
from .histogram import Precision, late_item, valid_bins, valid_precision
from .numbers import Numbers, is_sparse, numbers
from .on_device import count_on_device, is_elsewhere
from .places import Places

__all__ = ["Histograms"]


class Histograms(Rich):
    """Show how the values of each of many tensors are distributed, each by its own name.

    Tensors in the host's memory are read when it is logged, those of a GPU now. One that cannot be used is among the
    `refused`, with what is wrong with it; those that are sparse or empty are left out. Raises RichValueError for bins
    or a precision that cannot be.
    """

    def __init__(self, tensors: Iterable[tuple[str, Any]], bins: int, precision: Precision) -> None:
        self._bins, self._precision = valid_bins(bins), valid_precision(precision)
        self.refused: dict[str, RichValueError] = {}
        self._here: dict[str, Numbers] = {}
        self._late: dict[str, Callable[[Stage], dict[str, Any]]] = {}
        by_device: dict[Any, dict[str, Any]] = {}
        plain = _plain_types()
        for name, tensor in tensors:
            if not (type(tensor) in plain and self._take(name, tensor)):
                self._look_closer(name, tensor, by_device)
        for named in by_device.values():
            counts = count_on_device([*named.values()], self._bins)
            for place, name in enumerate(named):
                self._late[name] = partial(late_item, counts, place, precision=self._precision)
        self.n_values = len(self._here) + len(self._late)

    def _take(self, name: str, tensor: Any) -> bool:
        """Take the numbers of an ordinary tensor; False where that cannot be done at once."""
        try:
            array = tensor.detach().numpy()
        except (TypeError, RuntimeError):  # on a device, sparse, or of a type that NumPy has not
            return False
        if array.size:
            self._here[name] = Numbers(array, array.dtype.str)
        return True

    def _look_closer(self, name: str, tensor: Any, by_device: dict[Any, dict[str, Any]]) -> None:
        if is_sparse(tensor) or 0 in getattr(tensor, "shape", ()):
            return
        if is_elsewhere(tensor):
            by_device.setdefault(tensor.device, {})[name] = tensor
            return
        try:
            self._here[name] = numbers("Histogram", tensor)
        except RichValueError as exc:
            self.refused[name] = exc

    def to_items(self, name: str, index: int, stage: Stage) -> list[dict[str, Any]]:
        """Return the items of all of them; each has a name of its own."""
        late = [{"name": own_name, "index": 0, **make(stage)} for own_name, make in self._late.items()]
        return [*self._staged(stage), *late]

    def _staged(self, stage: Stage) -> Iterator[dict[str, Any]]:
        names = [*self._here]
        places = Places([*self._here.values()], self._bins)
        data = stage.pieces(places.n_bytes, places.pieces())
        common = {"type": "histogram", "index": 0, "bins": self._bins, "precision": self._precision}
        begin = 0
        for number, n, low, high in places.placed:
            end = begin + n * places.dtype.itemsize
            part = {"dtype": places.dtype.str, "shape": [n], **_part(data, begin, end)}
            yield {**common, "name": names[number], "low": low, "high": high, "places": part}
            begin = end


def _part(data: Mapping[str, Any], begin: int, end: int) -> dict[str, Any]:
    """Return what stands for some of the bytes that were handed over together."""
    if "data" in data:
        return {"data": data["data"][begin:end]}
    return {**data, "offset": begin}


def _plain_types() -> tuple[type, ...]:
    """Return the types of tensors that need no closer look before their numbers are taken."""
    torch = sys.modules.get("torch")
    return () if torch is None else (torch.Tensor, torch.nn.Parameter)
