"""Open databases as a copy, a crash or a network file system leaves them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kohakuboard.storage.database import connect, open_for_writing


def journal_mode(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def numbers(path: Path) -> list[int]:
    with connect(path) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


def test_a_log_is_kept_where_it_may_be_mapped_and_a_rollback_journal_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for word, log, mode in (("mapped", True, "wal"), ("mapped", False, "delete"), ("write", True, "delete")):
        monkeypatch.setenv("KOHAKUBOARD_JOURNAL", word)
        path = tmp_path / f"{word}-{log}.db"
        with closing(open_for_writing(path, log=log)) as connection:
            connection.execute("CREATE TABLE numbers (number)")
            connection.commit()
            assert journal_mode(path) == mode


def test_what_is_half_written_is_undone_for_a_reader_of_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that could not roll back in place copied the database without its journal, and read half of it."""
    monkeypatch.setenv("KOHAKUBOARD_JOURNAL", "write")
    with closing(open_for_writing(tmp_path / "run.db")) as connection:
        connection.execute("CREATE TABLE numbers (number, filler)")
        connection.executemany("INSERT INTO numbers VALUES (?, ?)", [(i, "x" * 1000) for i in range(100)])
        connection.commit()
        connection.execute("PRAGMA cache_size=1")  # so that it writes in the middle of the transaction
        connection.execute("UPDATE numbers SET number = number + 1000")
        (tmp_path / "copy").mkdir()
        for path in tmp_path.glob("run.db*"):
            shutil.copy(path, tmp_path / "copy")
    with closing(sqlite3.connect(f"file:{tmp_path}/copy/run.db?immutable=1", uri=True)) as raw:
        assert raw.execute("SELECT max(number) FROM numbers").fetchone() != (99,), "nothing is half written"
    assert numbers(tmp_path / "copy" / "run.db") == list(range(100))


def test_the_log_of_a_copy_is_taken_in_where_none_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_for_writing(tmp_path / "run.db", log=True)) as connection:
        connection.execute("CREATE TABLE numbers (number)")
        connection.execute("INSERT INTO numbers VALUES (1)")
        connection.commit()
        (tmp_path / "copy").mkdir()
        for path in tmp_path.glob("run.db*"):
            shutil.copy(path, tmp_path / "copy")
    monkeypatch.setenv("KOHAKUBOARD_JOURNAL", "write")
    copy = tmp_path / "copy" / "run.db"
    with closing(open_for_writing(copy, log=True)) as connection:
        connection.execute("INSERT INTO numbers VALUES (2)")
        connection.commit()
        assert numbers(copy) == [1, 2]
    assert list(copy.parent.iterdir()) == [copy]


def test_the_database_does_not_change_while_its_log_grows(tmp_path: Path) -> None:
    """Whoever copied first the one and then the other, in the middle of a checkpoint, had neither."""
    path = tmp_path / "run.db"
    with closing(open_for_writing(path, log=True)) as connection:
        connection.execute("CREATE TABLE numbers (number, filler)")
        before = path.read_bytes()
        for i in range(300):
            connection.execute("INSERT INTO numbers VALUES (?, ?)", [i, "x" * 20_000])
            connection.commit()
        assert path.read_bytes() == before
        assert path.with_name("run.db-wal").stat().st_size > 5 << 20


def test_what_a_large_transaction_added_to_the_log_is_cut_off_by_the_next_ones(tmp_path: Path) -> None:
    """The log of a run in which a table of a million rows was logged kept 60 MB until the end."""
    path = tmp_path / "run.db"
    with closing(open_for_writing(path, log=True)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (zeroblob(?))", [(1 << 20,)] * 30)
        connection.commit()
        size = path.with_name("run.db-wal").stat().st_size
        assert size > 30 << 20
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        assert path.with_name("run.db-wal").stat().st_size == 16 << 20
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (31,)
