from __future__ import annotations

import json
import math
import os
import random
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard.journal import shard as shard_module
from kohakuboard.journal.format import EVENT, HEADER_BYTES
from kohakuboard.journal.scan import Batch, Column, ShardCursor
from kohakuboard.journal.shard import Shard
from kohakuboard.journal.written import WrittenShard

int64 = st.integers(-(2**63), 2**63 - 1)
names = st.lists(st.text(max_size=20), min_size=1, max_size=6, unique=True)


KINDS = pytest.mark.parametrize("kind", [Shard, WrittenShard])


@pytest.fixture(params=[Shard, WrittenShard])
def shard(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shard]:
    shard = request.param(tmp_path / "journal", rank=0, host="here")
    yield shard
    shard.close()


def read(shard: Shard) -> Batch:
    return ShardCursor(shard.directory).read()


def bits(values: object) -> list[int]:
    """Make NaN equal to itself, and -0.0 different from 0.0."""
    return np.asarray(values, dtype=np.float64).view(np.int64).tolist()  # type: ignore[no-any-return]


@KINDS
@given(data=st.data())
def test_rows_of_changing_shapes_are_read_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, kind: type[Shard], data: st.DataObject
) -> None:
    shard = kind(tmp_path_factory.mktemp("run"), rank=0, host="here")
    shapes = data.draw(st.lists(names, min_size=1, max_size=4))
    logged: dict[str, list[tuple[int, float]]] = {}
    for _ in range(data.draw(st.integers(1, 12))):
        step = data.draw(int64)
        row = {name: data.draw(st.floats()) for name in data.draw(st.sampled_from(shapes))}
        shard.row(step, row)
        for name, value in row.items():
            logged.setdefault(name, []).append((step, value))

    columns = read(shard).columns

    assert set(columns) == set(logged)
    for name, points in logged.items():
        assert columns[name].steps.tolist() == [step for step, _ in points]
        assert bits(columns[name].values) == bits([value for _, value in points])


def test_seqs_rise_by_one_and_times_never_fall(shard: Shard) -> None:
    for i in range(1000):
        shard.row(i, {"a": float(i)})
    column = read(shard).columns["a"]
    assert (np.diff(column.seqs) == 1).all()
    assert (np.diff(column.times) >= 0).all()


def test_a_refused_value_appends_nothing(shard: Shard) -> None:
    shard.row(0, {"a": 1.0})
    before = shard.seq
    for bad in ("text", None, [1.0], 10**400):
        with pytest.raises((TypeError, OverflowError, ValueError, struct.error)):
            shard.row(1, {"a": bad})  # type: ignore[dict-item]
    with pytest.raises(struct.error):
        shard.row(2**63, {"a": 1.0})
    assert shard.seq == before
    shard.row(2, {"a": 2.0})
    assert read(shard).columns["a"].values.tolist() == [1.0, 2.0]


def test_a_full_segment_is_followed_by_another_and_each_is_read_without_those_before(shard: Shard) -> None:
    row = {f"metric/{i}": float(i) for i in range(50)}
    for step in range(10_000):
        shard.row(step, row)
    segments = sorted(shard.directory.glob("*.kbj"))
    assert len(segments) >= 2
    whole = read(shard).columns["metric/49"]
    assert whole.steps.tolist() == list(range(10_000))

    segments[0].unlink()
    rest = read(shard).columns["metric/49"]
    assert rest.steps.tolist() == list(range(10_000 - len(rest.steps), 10_000))
    assert len(rest.steps) > 0


def test_a_record_larger_than_a_segment_gets_one_that_fits(shard: Shard) -> None:
    """A shape that did not fit beside its row was once declared in one new segment after another, for ever."""
    shard.record(EVENT, 0, b'{"type": "notes", "text": "' + b"x" * (9 << 20) + b'"}')
    shard.row(1, {f"{i}{'x' * 200}": 1.0 for i in range(30_000)})
    batch = read(shard)
    assert len(batch.events[0].body["text"]) == 9 << 20
    assert batch.n_points == 30_000


def test_a_torn_tail_is_read_up_to_the_tear(shard: Shard) -> None:
    """Cut the last two records at every byte, with zeros and with noise behind the cut."""
    for step in range(5):
        shard.row(step, {"loss": step / 3, "acc": step / 7})
    cursor = ShardCursor(shard.directory)
    end = HEADER_BYTES + cursor.read().n_bytes
    (segment,) = shard.directory.glob("*.kbj")
    whole = segment.read_bytes()
    row_bytes = 56
    for cut in range(end - 2 * row_bytes, end):
        expected = 5 - math.ceil((end - cut) / row_bytes)
        for rest in (bytes(len(whole) - cut), random.Random(cut).randbytes(len(whole) - cut), b""):
            segment.write_bytes(whole[:cut] + rest)
            columns = ShardCursor(shard.directory).read().columns
            # A cut through the zero bytes that end a value changes nothing, if zeros follow.
            assert len(columns["loss"].steps) in (expected, expected + (rest[:8] == bytes(8)))
            assert columns["loss"].steps.tolist() == list(range(len(columns["loss"].steps)))


def test_damage_in_an_earlier_segment_is_named_and_the_next_segment_is_read(shard: Shard) -> None:
    row = {f"metric/{i}": float(i) for i in range(50)}
    for step in range(6000):
        shard.row(step, row)
    first, second = sorted(shard.directory.glob("*.kbj"))[:2]
    data = bytearray(first.read_bytes())
    data[200_000] ^= 1
    first.write_bytes(data)

    batch = read(shard)

    assert [damage for damage in batch.damage if first.name in damage.text]
    assert batch.columns["metric/0"].steps.tolist()[-1] == 5999
    assert second.exists()


def test_a_cursor_goes_on_where_it_stopped(shard: Shard) -> None:
    cursor = ShardCursor(shard.directory)
    seen: list[int] = []
    for step in range(200):
        shard.row(step, {"a": 1.0})
        if step % 7 == 0:
            seen += cursor.read().columns["a"].steps.tolist()
    seen += cursor.read().columns["a"].steps.tolist()
    assert seen == list(range(200))
    assert cursor.read().last_seq == -1


def test_threads_lose_nothing_and_share_no_seq(shard: Shard) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=log_many, args=(shard, i)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    columns = read(shard).columns
    for i in range(16):
        assert columns[f"thread{i}"].values.tolist() == list(range(500))
    seqs = np.concatenate([column.seqs for column in columns.values()])
    assert len(np.unique(seqs)) == 16 * 500


def log_many(shard: Shard, thread: int) -> None:
    for i in range(500):
        shard.row(i, {f"thread{thread}": float(i)})


def storm(name: str, journal: Path, kind: type[Shard]) -> tuple[dict[str, list[float]], dict[str, Column]]:
    """Run a program of storms.py; return what it acknowledged and what its journal holds."""
    # Coverage keeps a lock of its own around what an interrupt would then leave locked.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("storms.py")), name, str(journal), kind.__name__],
        env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (directory,) = journal.iterdir()
    return json.loads(done.stdout), ShardCursor(directory).read().columns


@KINDS
@pytest.mark.parametrize("name", ["handlers_that_log", "finalizers_that_log"])
def test_code_that_logs_in_the_middle_of_an_append_leaves_no_hole(
    tmp_path: Path, name: str, kind: type[Shard]
) -> None:
    acknowledged, columns = storm(name, tmp_path, kind)
    assert columns["main"].values.tolist() == acknowledged.pop("main")
    ((inner, values),) = acknowledged.items()
    assert len(values) >= 300
    # A signal may interrupt the handler itself, so its own order is free.
    assert sorted(columns[inner].values.tolist()) == sorted(values)


@KINDS
def test_an_interrupt_anywhere_in_an_append_loses_only_its_own_call(
    tmp_path: Path, kind: type[Shard]
) -> None:
    """An interrupt in the making of a segment once left a file that no later attempt could get past."""
    said, columns = storm("interrupts", tmp_path, kind)
    assert said["caught"] >= [500]
    found = columns["a"].values.tolist()
    assert found == sorted(set(found))
    # A call that was interrupted after its record was written may be there, too.
    assert set(said["acknowledged"]) <= set(found)
    assert len(found) - len(said["acknowledged"]) <= said["caught"][0]


def test_no_room_for_a_segment_is_an_error_and_logging_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Shard(tmp_path / "journal", rank=0, host="here")
    monkeypatch.setattr(shard_module, "RETRY_AFTER_S", 0.0)
    row = {f"m{i}": 1.0 for i in range(1000)}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    written = 0
    try:
        while written < 1000:
            try:
                shard.row(written, row)
            except OSError:
                break
            written += 1
        with pytest.raises(OSError, match="File too large"):
            shard.row(-1, row)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    shard.row(-2, row)
    assert read(shard).columns["m999"].steps.tolist() == [*range(written), -2]


def test_a_closed_shard_refuses_to_grow(shard: Shard) -> None:
    shard.row(0, {"a": 1.0})
    shard.close()
    with pytest.raises(OSError, match="closed"):
        shard.row(1, {"a": 1.0})
    assert read(shard).columns["a"].values.tolist() == [1.0]


@KINDS
def test_every_row_that_returned_survives_kill_9(tmp_path: Path, kind: type[Shard]) -> None:
    """The child tells each row it has logged through a pipe, after the call returned, and is killed at random."""
    program = """
import os, sys
from pathlib import Path
from kohakuboard.journal.shard import Shard
from kohakuboard.journal.written import WrittenShard
shard = {"Shard": Shard, "WrittenShard": WrittenShard}[sys.argv[2]](Path(sys.argv[1]), rank=0, host="here")
for i in range(10**9):
    shard.row(i, {"a": i, "b": -i})
    os.write(1, b"%d\\n" % i)
"""
    for attempt in range(10):
        journal = tmp_path / str(attempt)
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(journal), kind.__name__], stdout=subprocess.PIPE, bufsize=0
        )
        assert child.stdout is not None
        limit = random.Random(attempt).randrange(500, 20_000)
        told = b""
        while len(told) < limit:
            told += os.read(child.stdout.fileno(), 4096)
        child.kill()
        while chunk := os.read(child.stdout.fileno(), 65536):
            told += chunk
        child.wait()
        child.stdout.close()
        acknowledged = int(told[: told.rindex(b"\n")].splitlines()[-1])
        (directory,) = journal.iterdir()
        steps = ShardCursor(directory).read().columns["a"].steps.tolist()
        assert steps == list(range(len(steps)))
        assert len(steps) - 1 in (acknowledged, acknowledged + 1)
