"""The rows of run.db that hold rich values, one module for each type: its columns, and how a row is written.

Each row begins with its place: which shard logged it, in which call (seq), at which step and time, under which name,
and where in a sequence of several (position).
"""

from __future__ import annotations

from sqlite_utils import Database

from . import densities, media, tables, tensors, texts

__all__ = ["create"]


def create(database: Database) -> None:
    """Make the tables that are not there yet."""
    for kind in (densities, media, tables, tensors, texts):
        kind.create(database)
