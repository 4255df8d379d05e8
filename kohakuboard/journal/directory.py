"""Where the shards of a journal and their segments lie, and whose they are. Light: no numpy, no msgspec."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from .format import HEADER_BYTES, ShardIdentity, decode_header

__all__ = ["name_on_its_way_out", "process_has_shard", "segment_paths", "shard_directories", "shard_identity"]

_SEGMENT: Final = re.compile(r"\d{8}\.kbj")


def shard_directories(journal: Path) -> list[Path]:
    """Return the shards of a journal in the order of their start."""
    try:
        with os.scandir(journal) as entries:
            # What begins with a dot is on its way out.
            found = [journal / e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    # See shard_name.
    return sorted(found, key=lambda path: (path.name.split("-")[1:2], path.name))


def name_on_its_way_out(shard: Path) -> Path:
    """Return what a shard is called while its files are deleted."""
    return shard.with_name(f".{shard.name}")


def segment_paths(shard: Path) -> list[Path]:
    """Return the segments of a shard in the order of their names."""
    try:
        return sorted(path for path in shard.iterdir() if _SEGMENT.fullmatch(path.name))
    except FileNotFoundError:
        return []


def process_has_shard(journal: Path, pid: int) -> bool:
    """Tell whether a process of this machine, or one of that number on another, has a shard here."""
    return any(path.name.split("-")[2:3] == [f"{pid:x}"] for path in shard_directories(journal))


def shard_identity(shard: Path) -> ShardIdentity | None:
    """Return whose shard a directory is, from its first segment with a whole header; None when there is none."""
    for path in segment_paths(shard):
        try:
            with open(path, "rb") as file:
                header = decode_header(file.read(HEADER_BYTES))
        except FileNotFoundError:  # committed and deleted while we looked
            continue
        if header is not None:
            return header.identity
    return None
