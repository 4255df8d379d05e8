"""Histograms of many tensors at once: the gradients of a model.

What lies on a GPU is counted there, all of a device in one pass and with one small copy to the host. What lies in the
host's memory is handed over in one staged file, large arrays by the bins of their values, see places.py, and the writer
counts. Together they are one value to log: to make an object of each would take a model of many small tensors longer
than all the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any, Final, NamedTuple

from ...errors import RichValueError
from ...journal.stage import PIECE_BYTES, Stage
from .base import Rich
from .histogram import Precision, late_item, valid_bins, valid_precision
from .numbers import REAL, is_sparse, numbers
from .on_device import count_on_device, is_elsewhere
from .places import Placing, may_have_places, place_dtype, places, placing

__all__ = ["Histograms"]


# Values of a tensor that is copied together with others: for an array of its own it would take longer.
TINY: Final = 1 << 11


class _Large(NamedTuple):
    """Hold a large array, flat, and what it is called."""

    name: str
    array: Any
    dtype: str


class Histograms(Rich):
    """Show how the values of each of many tensors are distributed, each by its own name.

    Tensors in the host's memory are read when it is logged, those of a GPU now. One that cannot be used is among the
    `refused`, with what is wrong with it; those that are sparse or empty are left out. Raises RichValueError for bins
    or a precision that cannot be.
    """

    def __init__(self, tensors: Iterable[tuple[str, Any]], bins: int, precision: Precision) -> None:
        self._bins, self._precision = valid_bins(bins), valid_precision(precision)
        self.refused: dict[str, RichValueError] = {}
        self._values: list[tuple[str, str, int]] = []  # name, dtype and size
        self._whole: list[Any] = []  # their numbers, one behind the other
        self._large: list[_Large] = []
        self._late: dict[str, Callable[[Stage], dict[str, Any]]] = {}
        by_device: dict[Any, dict[str, Any]] = {}
        for name, tensor in self._take_ordinary(tensors):
            self._take(name, tensor, by_device)
        for named in by_device.values():
            counts = count_on_device([*named.values()], self._bins)
            for place, name in enumerate(named):
                self._late[name] = partial(late_item, counts, place, precision=self._precision)
        self.n_values = len(self._values) + len(self._large) + len(self._late)

    def _take_ordinary(self, tensors: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Take ordinary tensors, small ones all of a type as one array; yield the others."""
        small: dict[Any, list[tuple[str, int, Any]]] = {}
        torch: Any = sys.modules.get("torch")
        plain = () if torch is None else (torch.Tensor, torch.nn.Parameter)
        for name, tensor in tensors:
            if type(tensor) not in plain or not tensor.is_cpu:
                yield name, tensor
            elif (n := tensor.numel()) > TINY:
                array = _array(tensor)
                if array is None:
                    yield name, tensor
                else:
                    self._add(name, array, array.dtype.str)
            elif n:
                small.setdefault(tensor.dtype, []).append((name, n, tensor))
        for group in small.values():
            names, sizes, alike = zip(*group, strict=True)
            try:
                with torch.no_grad():
                    array, dtype = numbers("Histogram", torch._utils._flatten_dense_tensors(alike))
            except (RichValueError, RuntimeError):  # one of them is sparse, say
                yield from zip(names, alike, strict=True)
            else:
                self._values += zip(names, repeat(dtype), sizes)
                self._whole.append(array)

    def _add(self, name: str, array: Any, dtype: str) -> None:
        if may_have_places(array.size, dtype):
            # In the order in which they lie in memory, which no count depends on.
            self._large.append(_Large(name, array.ravel("K"), dtype))
        else:
            self._values.append((name, dtype, array.size))
            self._whole.append(array if array.flags.c_contiguous else array.ravel("K"))

    def _take(self, name: str, tensor: Any, by_device: dict[Any, dict[str, Any]]) -> None:
        if is_sparse(tensor) or 0 in getattr(tensor, "shape", ()):
            return
        if is_elsewhere(tensor):
            by_device.setdefault(tensor.device, {})[name] = tensor
            return
        try:
            found = numbers("Histogram", tensor)
            self._add(name, *found)
        except RichValueError as exc:
            self.refused[name] = exc

    def to_items(self, name: str, index: int, stage: Stage) -> list[dict[str, Any]]:
        """Return one item of all that is in the host's memory, and one of each that is on a device."""
        late = [{"name": own_name, "index": 0, **make(stage)} for own_name, make in self._late.items()]
        return [self._grouped(name, stage), *late] if self._values or self._large else late

    def _grouped(self, name: str, stage: Stage) -> dict[str, Any]:
        """Hand over the numbers as they are, those of large arrays by their bins: see ../../journal/grouped.py."""
        place = place_dtype(self._bins)
        size = sum(array.nbytes for array in self._whole)
        size += sum(one.array.size for one in self._large) * place.itemsize
        placed, rest = list[tuple[str, int, float, float]](), list[_Large]()
        found = stage.pieces(size, _pieces(self._whole, self._large, self._bins, placed, rest))
        return {
            "type": "histograms",
            "name": name,
            "index": 0,
            "bins": self._bins,
            "precision": self._precision,
            "values": self._values,
            "places": placed,
            "place": place.str,
            "rest": [(one.name, one.dtype, one.array.size) for one in rest],
            **found,
        }


def _array(tensor: Any) -> Any:
    """Return the numbers of an ordinary tensor, sooner than `numbers` does; None where that is needed."""
    try:
        array = (tensor.detach() if tensor.requires_grad else tensor).numpy()
    except (TypeError, RuntimeError):  # it is sparse, a view, or of a type that NumPy has not
        return None
    return array if array.dtype.kind in REAL else None


def _pieces(
    whole: list[Any],
    large: list[_Large],
    bins: int,
    placed: list[tuple[str, int, float, float]],
    rest: list[_Large],
) -> Iterator[Sequence[Any]]:
    """Yield the bytes of arrays as they are, and of large ones by their bins; note how each of these was yielded."""

    def placings() -> Iterator[Placing]:
        for one in large:
            found = placing(one.array, one.dtype)
            if found is None:
                rest.append(one)
            else:
                placed.append((one.name, one.array.size, found.low, found.high))
                yield found

    yield [*map(_writable, whole)]
    if large:
        yield from places(placings(), bins)
        yield [_writable(one.array) for one in rest]


def _writable(array: Any) -> Any:
    """Return what a stage writes of an array: bytes, where there are many."""
    return array if array.nbytes <= PIECE_BYTES else array.reshape(-1).view("u1")
