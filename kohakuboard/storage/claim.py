"""Which of a run's databases a host writes to.

A database has one host that writes to it, since a lock of one host need not be seen by another. That is the host that
the file CLAIM names, and any other host that logs to the run at the same time keeps `run.<host>.db` instead. Readers
take the union.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..journal.process import STALE_HEARTBEAT_S
from .sync import fsync_directory, fsync_file

__all__ = ["catalogue_path", "give_up_claim", "is_abandoned", "known_catalogue_path", "last_heartbeat_us"]

CLAIM: Final = ".catalogue-host"


def catalogue_path(run: Path, host: str) -> Path:
    """Return the database that a host writes to, claiming run.db when nobody has, or when its host is gone."""
    path = known_catalogue_path(run, host)
    if path.name != "run.db":
        return path
    holder = _claim(run / CLAIM, host)
    if holder == host:
        return path
    try:
        claimed_us = (run / CLAIM).stat().st_mtime_ns // 1000
    except FileNotFoundError:  # given up at this moment
        return catalogue_path(run, host)
    if not is_abandoned(run, holder, claimed_us):
        return run / f"run.{host}.db"
    # Whole at every moment: another host may read it now.
    replacement = run / f"{CLAIM}.{host}"
    replacement.write_text(host)
    fsync_file(replacement)
    os.replace(replacement, run / CLAIM)
    fsync_directory(run)
    return path


def known_catalogue_path(run: Path, host: str) -> Path:
    """Return the database that a host has written to."""
    own = run / f"run.{host}.db"
    return own if own.exists() else run / "run.db"


def give_up_claim(path: Path, host: str) -> None:
    """Let any host have a run.db whose run has ended, if this host still has it: another may have taken it over."""
    claim = path.with_name(CLAIM)
    with suppress(FileNotFoundError):
        if path.name == "run.db" and claim.read_text() == host:
            claim.unlink()


def _claim(path: Path, host: str) -> str:
    """Return the host that a run's run.db belongs to, this one if it comes first."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        try:
            return path.read_text()
        except FileNotFoundError:  # given up at this moment
            return _claim(path, host)
    with open(fd, "w") as file:
        file.write(host)
    # Lost in a power cut, it would make this host begin another database, and number its shards anew.
    fsync_file(path)
    fsync_directory(path.parent)
    return host


def is_abandoned(run: Path, host: str, since_us: int) -> bool:
    """Tell whether nothing was heard for long of a host, not since a time that it is known to have lived at."""
    last_us = max(last_heartbeat_us(run, host) or 0, since_us)
    return time.time() - last_us / 1e6 >= STALE_HEARTBEAT_S


def last_heartbeat_us(run: Path, host: str) -> int | None:
    """Return when the writer of a host last showed life, by any database of a run; None when none tells."""
    return max(filter(None, (_heartbeat_us(path, host) for path in run.glob("run*.db"))), default=None)


def _heartbeat_us(path: Path, host: str) -> int | None:
    """Return what one database says; nothing where it is only being made, or cannot be read."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT heartbeat_us FROM writers WHERE host = ?", [host]).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return row[0] if row is not None else None
