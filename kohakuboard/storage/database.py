"""Open run.db and media.db, for the writer so that commits last, for readers wherever a copy may lie.

On a file system of this machine run.db has a write-ahead log: readers never wait. That log is a file of shared memory
beside the database, which network file systems cannot offer; there SQLite keeps a rollback journal, and whoever reads
may wait for the milliseconds of a commit.

The write-ahead log is taken into the database rarely. In between, run.db does not change at all and the log only
grows, so whoever copies first the one and then the other has a whole state, and a second rsync moves what is new.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from ..journal.filesystem import may_map
from .sync import fsync_file

__all__ = ["connect", "is_damaged", "open_for_writing", "open_or_set_aside"]

# The writer holds its lock for milliseconds; a page must not wait for whoever holds it for longer.
LOCK_TIMEOUT_S: Final = 2.0
WRITER_TIMEOUT_S: Final = 30.0
# 16 MiB of log: more than an hour of flushes.
CHECKPOINT_PAGES: Final = 4096
PAGE_BYTES: Final = 4096
LOG_HEADER_BYTES: Final = 32
# A larger database is taken for whole when it opens: to check it is to read it all.
CHECKED_BYTES: Final = 64 << 20
# What belongs to a database file: its write-ahead log, or what undoes a half transaction.
COMPANIONS: Final = ("-wal", "-journal")


def open_for_writing(path: Path, *, log: bool = False) -> sqlite3.Connection:
    """Open a database, made if need be, whose commits are on the disk when they return.

    Arguments:
        path: The database file.
        log: Whether it has a write-ahead log, where the file system allows one.

    """
    for file in (path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)):
        if file.exists():
            # Whoever was killed between writing and syncing may have left what counts as committed from here on.
            fsync_file(file)
    connection = sqlite3.connect(path, timeout=WRITER_TIMEOUT_S)
    try:
        if log and may_map(path.parent):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            # What a transaction beyond that leaves, of a large table, is cut off with the first one after it.
            connection.execute(f"PRAGMA journal_size_limit={CHECKPOINT_PAGES * PAGE_BYTES}")
        else:
            _use_rollback_journal(connection)
            path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        # EXTRA, not FULL: the removal of a rollback journal is what commits, and must be on the disk, too.
        connection.execute("PRAGMA synchronous=EXTRA")
    except BaseException:
        connection.close()
        raise
    return connection


def open_or_set_aside(path: Path, *, log: bool = False) -> tuple[sqlite3.Connection, str | None]:
    """Open a database as `open_for_writing` does; set one aside that is damaged, and say so in words.

    It is then called `<name>.broken-<n>`, and an empty one is in its place.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = open_for_writing(path, log=log)
        if path.stat().st_size > CHECKED_BYTES or _is_sound(connection):
            return connection, None
    except (
        sqlite3.OperationalError
    ):  # it is locked, or the disk is full: that says nothing about the database
        if connection is not None:
            connection.close()
        raise
    except sqlite3.DatabaseError:
        pass
    if connection is not None:
        connection.close()
    aside = _set_aside(path)
    return open_for_writing(path, log=log), f"{path.name} was damaged; it is kept as {aside}, and begun anew"


def is_damaged(path: Path) -> bool:
    """Tell whether a file is there and is no database that can be read."""
    if not path.is_file():
        return False
    try:
        with connect(path) as connection:
            return path.stat().st_size <= CHECKED_BYTES and not _is_sound(connection)
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


def _is_sound(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")


def _set_aside(path: Path) -> str:
    names = (f"{path.name}.broken-{number}" for number in itertools.count(1))
    name = next(name for name in names if not path.with_name(name).exists())
    for suffix in ("", "-shm", *COMPANIONS):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(path.with_name(name + suffix))
    return name


def _use_rollback_journal(connection: sqlite3.Connection) -> None:
    # Exclusive while it changes: a write-ahead log that a copied run came with is then read without shared memory.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA locking_mode=NORMAL")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # only now is the lock given back


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading only, also on a read-only mount and with what a crash left half done."""
    connection = _connect_in_place(path)
    if connection is not None:
        with closing(connection):
            yield connection
        return
    # A log is read beside a shared-memory file, and a half transaction is undone by writing. Neither can be done
    # here: read a copy elsewhere.
    with tempfile.TemporaryDirectory(prefix="kohakuboard-") as directory:
        for suffix in ("", *COMPANIONS):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copyfile(source, Path(directory, path.name + suffix))
        with closing(sqlite3.connect(Path(directory, path.name))) as connection:
            yield connection


def _connect_in_place(path: Path) -> sqlite3.Connection | None:
    if _has_only_begun(path.with_name(f"{path.name}-wal")) and not os.access(path.parent, os.W_OK):
        return None  # SQLite would try for ten seconds, and then say "locking protocol"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as exc:
        connection.close()
        # On a full disk shared memory can be neither made nor grown: "disk I/O error".
        if any(word in str(exc) for word in ("open", "readonly", "disk", "locking protocol")):
            return None
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _has_only_begun(log: Path) -> bool:
    """Tell whether a write-ahead log is there, and has no transaction yet."""
    try:
        return log.stat().st_size <= LOG_HEADER_BYTES
    except OSError:
        return False
