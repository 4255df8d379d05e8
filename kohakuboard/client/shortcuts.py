"""Calls that log one rich value: `board.log_table("errors", rows)` for `board.log(errors=Table(rows))`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .rich import Histogram, Media, Table

__all__ = ["Shortcuts"]


class Shortcuts:
    """Give a board a call for each type. The arguments are those of the type; `step` is that of `log`."""

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **values: Any
    ) -> None:
        """Log values by name, as a Board does."""
        raise NotImplementedError

    def log_histogram(self, name: str, values: Any, *, step: int | None = None, **options: Any) -> None:
        """Log how values are distributed: see Histogram."""
        self.log({name: Histogram(values, **options)}, step=step)

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
