"""The way from the journal into the stores, one process, step by step; each docstring tells a defect there was."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import adler32

import pytest

from kohakuboard import Board, Table
from kohakuboard.errors import RunBusyError
from kohakuboard.journal.format import (
    EVENT,
    HEADER_BYTES,
    RECORD,
    RECORD_BYTES,
    RICH,
    ROW,
    SHAPE,
    SegmentHeader,
    ShardIdentity,
    align,
    encode_header,
    segment_name,
)
from kohakuboard.journal.shard import Shard
from kohakuboard.reader import Workspace, open_run
from kohakuboard.writer import recover
from kohakuboard.writer.drain import Drain

START: dict[str, Any] = {
    "type": "start", "run_id": "r", "name": "r", "default_name": "r", "project": "p", "group": None, "notes": None,
    "tags": [], "config": {"lr": 1}, "process": {"cwd": "/"},
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "p" / "r"


@pytest.fixture
def shard(run: Path) -> Iterator[Shard]:
    """Return a shard of a run without any writer."""
    shard = Shard(run / "journal", rank=0, host=os.uname().nodename)
    shard.event(0, START)
    yield shard
    shard.close()


def drained(run: Path) -> Drain:
    drain = Drain(run, "here")
    drain.exhaust()
    return drain


def test_what_a_process_logs_until_its_end_is_stored_before_its_shard_is_deleted(
    run: Path, shard: Shard
) -> None:
    """Shards were deleted when their process was dead, without a look at what it wrote since the last reading."""
    drain = drained(run)
    program = (
        "import sys; from pathlib import Path; from kohakuboard.journal.shard import Shard\n"
        "shard = Shard(Path(sys.argv[1]), rank=1, host=sys.argv[2])\n"
        "for i in range(50): shard.row(i, {'child': float(i)})\n"
        "sys.stdin.read(1)\n"
        "for i in range(50, 100): shard.row(i, {'child': float(i)})\n"
    )
    command = [sys.executable, "-c", program, str(run / "journal"), os.uname().nodename]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        while len(list((run / "journal").iterdir())) < 2 or drain.catalogue.run()["last_step"] != 49:
            drain.exhaust()
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    drain.retire_ended_shards()
    drain.close()
    assert len(list((run / "journal").iterdir())) == 1
    assert open_run(run).series("child").step.tolist() == list(range(100))


def test_a_flush_repeated_after_a_crash_before_sqlite_stores_nothing_twice(run: Path, shard: Shard) -> None:
    for i in range(100):
        shard.row(i, {"a": float(i)})
    drain = drained(run)
    drain.close()
    # As if the transaction had not come through: Lance has the points, run.db does not know.
    with sqlite3.connect(run / "run.db") as connection:
        connection.execute("UPDATE shards SET committed_seq = -1")
        connection.execute("DELETE FROM metrics")
    for i in range(100, 150):
        shard.row(i, {"a": float(i)})
    drained(run).close()
    reading = open_run(run)
    assert reading.series("a").step.tolist() == list(range(150))
    assert reading.metrics["a"].count == 150


ONE_FLOAT = {"dtype": "<f8", "shape": [1]}
NO_MSGPACK = {"data": b"\xc1 no msgpack"}
ONE_ROW = {"data": b"\x91\x91\xa1x"}  # [["x"]]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "histogram", "bins": 4, "range": [1.0, 0.0], "values": {**ONE_FLOAT, "data": bytes(8)}},
        {
            "type": "histogram",
            "bins": 4,
            "range": None,
            "values": {**ONE_FLOAT, "shape": [9], "data": bytes(8)},
        },
        {
            "type": "histogram",
            "bins": 4,
            "range": None,
            "values": {**ONE_FLOAT, "staged": "gone.staged", "staged_bytes": 8},
        },
        {"type": "media", "caption": None, "pixels": {"dtype": "|u1", "shape": [5, 5], "data": b"short"}},
        {
            "type": "table",
            "columns": ["a"],
            "kinds": ["text"],
            "n_rows": 1,
            "media": [],
            "batches": [NO_MSGPACK],
        },
        {
            "type": "table",
            "columns": ["a"],
            "kinds": ["text"],
            "n_rows": 2,
            "media": [],
            "batches": [ONE_ROW],
        },
        {
            "type": "table",
            "columns": ["a"],
            "kinds": ["bool"],
            "n_rows": 1,
            "media": [],
            "batches": [ONE_ROW],
        },
        {
            "type": "table",
            "columns": ["a"],
            "kinds": ["what"],
            "n_rows": 1,
            "media": [],
            "batches": [ONE_ROW],
        },
        {"type": "table", "columns": [], "kinds": [], "n_rows": 1, "media": [], "batches": [ONE_ROW]},
    ],
)
def test_one_value_that_cannot_be_stored_is_named_and_stops_nothing(
    run: Path, shard: Shard, item: dict[str, Any]
) -> None:
    """One such value once ended every writer that met it, and `kobo recover`, so that nothing after it was stored."""
    import msgspec

    body = {"scalars": {"loss": 1.0}, "items": [{"name": "bad", "index": 0, **item}]}
    shard.record(RICH, 3, msgspec.msgpack.encode(body))
    shard.row(4, {"loss": 2.0})
    drained(run).close()
    reading = open_run(run)
    assert reading.series("loss").value.tolist() == [1.0, 2.0]
    (problem,) = reading.problems
    assert "'bad' of step 3" in problem
    assert reading.tables() == []


def test_events_of_a_shard_keep_their_order_when_the_clock_is_set_back(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events were sorted by wall clock: a clock set back made a finished run running, and undid a change of config."""
    from kohakuboard.journal import shard as module

    seconds = iter([1000.0, 999.0, 998.0, 997.0, 990.0, 980.0, 970.0])
    monkeypatch.setattr(module, "now", lambda: next(seconds))
    shard = Shard(run / "journal", rank=0, host=os.uname().nodename)
    shard.event(0, START)
    shard.event(0, {"type": "config", "set": {"lr": 2}, "remove": []})
    for value in (2.0, 4.0):
        shard.row(0, {"a": value})
    shard.event(0, {"type": "finish", "status": "finished", "error": None})
    for _ in range(2):  # from the journal's tail, and from the stores
        reading = open_run(run)
        assert (reading.status, reading.config["lr"], reading.metrics["a"].last) == ("finished", 2, 4.0)
        drained(run).close()
    shard.close()


def test_a_backlog_is_read_in_parts(run: Path, shard: Shard) -> None:
    row = {f"m{i}": 1.0 for i in range(100)}
    for step in range(15_000):
        shard.row(step, row)
    drain = Drain(run, "here", read_bytes=1 << 20)
    assert drain.poll()
    assert 0 < drain.pending_bytes < 8 << 20
    drain.exhaust()
    drain.close()
    assert open_run(run).series("m0").step.tolist() == list(range(15_000))


def test_a_dead_run_of_another_machine_is_recovered_once_its_heartbeat_is_old(run: Path) -> None:
    """Recovery itself refreshed the heartbeat, and the run counted as running again."""
    an_hour_ago = time.time() - 3600
    shard = shard_of_another_host(run, an_hour_ago)
    assert recover(run)
    assert open_run(run).status == "crashed"
    assert open_run(run).series("a").value.tolist() == [1.0, 2.0]
    assert not shard.exists()


def shard_of_another_host(run: Path, started_s: float) -> Path:
    """Write a shard byte for byte: a start, and a at 1.0 and 2.0."""
    identity = ShardIdentity(
        f"r0-{int(started_s * 1e9):x}-1-0000", 0, 1, "elsewhere", int(started_s * 1e9), 1
    )
    directory = run / "journal" / identity.shard
    directory.mkdir(parents=True)
    data = b""
    payloads = [(EVENT, json.dumps(START).encode()), (SHAPE, b'["a"]')]
    payloads += [(ROW, struct.pack("<d", value)) for value in (1.0, 2.0)]
    for seq, (kind, payload) in enumerate(payloads):
        record = RECORD.pack(0, RECORD_BYTES + len(payload), kind, seq, seq, started_s)[4:] + payload
        data += (struct.pack("<I", adler32(record)) + record).ljust(align(RECORD_BYTES + len(payload)), b"\0")
    data += bytes(RECORD_BYTES)
    header = encode_header(SegmentHeader(-1, HEADER_BYTES + len(data), identity))
    (directory / segment_name(1)).write_bytes(header + data)
    return directory


def test_a_live_run_of_another_machine_is_left_alone(run: Path) -> None:
    shard_of_another_host(run, time.time())
    with pytest.raises(RunBusyError):
        recover(run)
    assert [path.name for path in run.iterdir()] == ["journal"]


def test_points_of_an_attempt_that_was_continued_before_they_were_stored_are_not_summarised(
    tmp_path: Path,
) -> None:
    """A writer that came late read both attempts at once, and counted what the second had gone back behind."""
    host = os.uname().nodename
    run = tmp_path / "p" / "r"
    for number, at_step in ((1, None), (2, 1)):
        shard = Shard(run / "journal", rank=0, host=host)
        shard.event(0, {**START, "attempt": number, "at_step": at_step})
        if number == 1:
            for step in range(5):
                shard.row(step, {"a": float(step), "eval": float(step)})
        else:
            shard.row(2, {"a": -1.0})
        shard.close()
    drain = drained(run)
    drain.renew_summaries()
    drain.close()
    metrics = open_run(run).metrics
    assert [(metrics[name].count, metrics[name].last, metrics[name].max) for name in ("a", "eval")] == [
        (3, -1.0, 1.0),
        (2, 1.0, 1.0),
    ]


def test_a_start_that_comes_to_be_stored_late_does_not_speak_for_a_run_that_went_on(run: Path) -> None:
    """What a dead host had left made the run its own again, and the end of the live one was not noted."""
    host = os.uname().nodename
    late, later = (Shard(run / "journal", rank=0, host=host) for _ in range(2))
    aside = run / "aside"
    late.event(0, {**START, "attempt": 1, "name": "first"})
    later.event(0, {**START, "attempt": 2, "name": "second", "config": {"lr": 2}})
    late.directory.rename(aside)
    drained(run).close()
    aside.rename(late.directory)
    assert open_run(run).name == "second"
    drained(run).close()
    later.event(1, {"type": "finish", "status": "finished", "error": None})
    drained(run).close()
    found = open_run(run)
    assert (found.name, found.status, found.config["lr"]) == ("second", "finished", 2)
    late.close()
    later.close()


def test_a_fork_gets_its_parents_points_later_if_they_could_not_be_had_at_first(tmp_path: Path) -> None:
    """With the start committed nothing was pending any more, and the next writer took nothing."""
    with Board(base_dir=tmp_path, run_id="parent") as parent:
        for step in range(5):
            parent.log(a=step)
    run = tmp_path / "default" / "child"
    shard = Shard(run / "journal", rank=0, host=os.uname().nodename)
    fork = {"path": str(parent.path), "run": "default/parent", "step": 3}
    shard.event(0, {**START, "attempt": 1, "at_step": 3, "fork_from": fork})
    shard.row(4, {"a": -1.0})
    # Not to be had at this moment, which is no reason to do without it.
    (parent.path / "run.digest").unlink()
    (parent.path / "run.db").rename(tmp_path / "run.db")
    (parent.path / "run.db").write_bytes(b"no database" * 1000)
    drained(run).close()
    assert open_run(run).series("a").value.tolist() == [-1]
    (tmp_path / "run.db").replace(parent.path / "run.db")
    drained(run).close()
    assert open_run(run).series("a").value.tolist() == [0, 1, 2, 3, -1]
    shard.close()


def test_a_shard_whose_removal_was_cut_short_is_no_shard_and_goes_with_the_journal(
    run: Path, shard: Shard
) -> None:
    """A reader that looked while a shard was being deleted found no segments, and called it damage."""
    left = run / "journal" / ".r0-1-1-0000"
    left.mkdir()
    (left / "00000002.kbj").write_bytes(b"")
    assert open_run(run).problems == []
    shard.event(1, {"type": "finish", "status": "finished", "error": None})
    shard.close()
    assert recover(run)
    assert not (run / "journal").exists()
    assert open_run(run).status == "finished"


def test_what_a_removal_left_that_was_cut_short_at_the_very_end_is_deleted(tmp_path: Path) -> None:
    """All was stored and the last shard on its way out: nobody looked at the journal of such a run again."""
    with Board(base_dir=tmp_path) as board:
        board.log(a=1.0)
    left = board.path / "journal" / ".r0-1-1-0000" / "00000001.artifact"
    left.mkdir(parents=True)
    assert recover(board.path)
    assert not (board.path / "journal").exists()
    assert not recover(board.path)
    assert open_run(board.path).series("a").value.tolist() == [1.0]


def test_sums_beyond_the_largest_float_hurt_nobody(tmp_path: Path) -> None:
    """A sum of inf - inf is NaN, which SQLite keeps as NULL: the list of runs then failed for all runs."""
    with Board(base_dir=tmp_path) as board:
        for value in (1.7e308, 1.7e308, -1.7e308, -1.7e308, -1.7e308):
            board.log(a=value)
    (run,) = Workspace(tmp_path).runs()
    assert run.metrics["a"].count == 5
    json.dumps(run.metrics["a"].mean)


def test_a_table_of_many_rows_is_staged_and_stored(tmp_path: Path) -> None:
    rows = [{"i": i, "text": "x" * 20} for i in range(10_000)]
    with Board(base_dir=tmp_path) as board:
        board.log(table=Table(rows))
    stored = open_run(board.path).table("table")
    assert len(stored.rows) == 10_000
    assert stored.rows[-1] == [9999, "x" * 20]
