"""Calls that log one rich value: `board.log_table("errors", rows)` for `board.log(errors=Table(rows))`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .rich import Histogram, KernelDensity, Media, Table, Tensor

__all__ = ["Shortcuts"]


class Shortcuts:
    """Give a board a call for each type. The arguments are those of the type; `step` is that of `log`."""

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **values: Any
    ) -> None:
        """Log values by name, as a Board does."""
        raise NotImplementedError

    def log_histogram(self, name: str, values: Any, *, step: int | None = None, **options: Any) -> None:
        """Log how values are distributed: see Histogram, whose options are `bins`, `range` and `precision`."""
        self.log({name: Histogram(values, **options)}, step=step)

    def log_kernel_density(
        self, name: str, values: Any = None, *, step: int | None = None, **options: Any
    ) -> None:
        """Log how values are distributed, as a curve: see KernelDensity, whose options the others are."""
        self.log({name: KernelDensity(values, **options)}, step=step)

    def log_tensor(self, name: str, values: Any, *, step: int | None = None) -> None:
        """Log an array or tensor whole: see Tensor."""
        self.log({name: Tensor(values)}, step=step)

    def log_table(
        self, name: str, data: Any, columns: Iterable[str] | None = None, *, step: int | None = None
    ) -> None:
        """Log rows and columns: see Table."""
        self.log({name: Table(data, columns)}, step=step)

    def log_images(
        self,
        name: str,
        images: Any,
        *,
        captions: Sequence[str] | str | None = None,
        step: int | None = None,
    ) -> None:
        """Log one image or a list of them, each in a form that Media takes, with as many captions."""
        many = list(images) if isinstance(images, list | tuple) else [images]
        words = [captions] if isinstance(captions, str) else list(captions or ())
        words += [None] * (len(many) - len(words))  # type: ignore[list-item]
        self.log({name: [Media(*pair) for pair in zip(many, words, strict=False)]}, step=step)
