"""What `logger.experiment` is where nothing is logged: on ranks above 0."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .roots import dummy_experiments

__all__ = ["null_board"]


class NullBoard:
    """Take any use of a Board and do nothing.

    Lightning's own dummy knows methods only: `experiment.config.update({})` and `with experiment:` raise
    there, on every rank but the one that was tried.
    """

    def __getattr__(self, name: str) -> NullBoard:
        if name.startswith("__"):
            # Protocols such as __deepcopy__ and __array__ are asked for by name; having none is the right
            # answer.
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> NullBoard | None:
        # As a Board's methods return. Without arguments it may be a context manager that is asked for.
        return None if args or kwargs else self

    def __getitem__(self, key: Any) -> NullBoard:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        return

    def __delitem__(self, key: Any) -> None:
        return

    def __contains__(self, key: Any) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True  # as a Board is: `if logger.experiment:` must not tell the ranks apart

    def __enter__(self) -> NullBoard:
        return self

    def __exit__(self, *exc: object) -> None:
        return


def null_board() -> NullBoard:
    """Return a NullBoard that is also an instance of Lightning's own dummy, of each copy that is loaded."""
    return _null_class(dummy_experiments())()


@cache
def _null_class(dummies: tuple[type, ...]) -> type[NullBoard]:
    return type("NullBoard", (NullBoard, *dummies), {})
