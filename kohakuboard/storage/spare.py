"""Spare the processes that are ours alone what PyArrow would import for others.

Importing `pyarrow.dataset`, which Lance does, imports pandas wherever it is installed, only to ask whether some value
is one of its arrays: 0.1 s of CPU time and 40 MB for each writer and each `kobo`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

__all__ = ["spare_pandas"]


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("this process does without pandas", name=fullname)


def spare_pandas() -> None:
    """Have no pandas in this process from now on. Only for a process in which no code of a user's runs."""
    sys.meta_path.insert(0, _NoPandas())
