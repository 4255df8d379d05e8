"""Journals that are not what was written: what is before the damage is read, the damage is named, nothing raises."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zlib import adler32

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohakuboard.journal.directory import segment_paths
from kohakuboard.journal.format import EVENT, HEADER_BYTES, RECORD_BYTES, RICH, ROW, SHAPE, decode_header
from kohakuboard.journal.scan import Batch, ShardCursor
from kohakuboard.journal.shard import Shard

SMALL_BYTES = 4096

int64 = st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(codec="utf-8"), max_size=12)
doubles = st.floats(allow_subnormal=True) | st.sampled_from(
    [-0.0, 5e-324, float("inf"), np.array([0x7FF8DEADBEEF0001], dtype=np.uint64).view(np.float64)[0].item()]
)
rows = st.tuples(int64, st.dictionaries(names, doubles, min_size=1, max_size=5))


class Point(NamedTuple):
    name: str
    step: int
    bits: int


Records = dict[int, Any]  # what was read, by seq


def write(shard: Shard, step: int, values: dict[str, float], kind: int) -> Any:
    """Append a record of a kind; return what a reader should make of it."""
    if kind == EVENT:
        body = {"type": "config", "set": {name: repr(value) for name, value in values.items()}, "remove": []}
        shard.event(step, body)
        return step, body
    if kind == RICH:
        item = {"name": "h", "index": 0, "type": "histogram", "text": [str(step)]}
        shard.record(RICH, step, msgspec.msgpack.encode({"scalars": values, "items": [item]}))
    else:
        shard.row(step, values)
    return sorted(Point(name, step, to_bits(value)) for name, value in values.items())


def to_bits(value: float) -> int:
    return int(np.array(value, dtype=np.float64).view(np.int64))


def records(batch: Batch) -> Records:
    """Return what a batch holds, by seq."""
    found: Records = {}
    for name, column in batch.columns.items():
        assert (np.diff(column.seqs) > 0).all()
        for seq, step, bits in zip(
            column.seqs.tolist(), column.steps.tolist(), column.values.view(np.int64).tolist(), strict=True
        ):
            found.setdefault(seq, []).append(Point(name, step, bits))
    for seq, points in found.items():
        found[seq] = sorted(points)
    found.update({event.seq: (event.step, event.body) for event in batch.events})
    return dict(sorted(found.items()))


def read(directory: Path) -> tuple[Records, list[str]]:
    """Read a shard whose process is gone; return what is there, and the damage in words."""
    cursor = ShardCursor(directory)
    batch = cursor.read()
    texts = [damage.text for damage in [*batch.damage, *cursor.ending()]]
    assert len(set(texts)) == len(texts)
    return records(batch), texts


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    shard = Shard(tmp_path / "journal", rank=0, host="here", segment_bytes=SMALL_BYTES)
    yield shard
    shard.close()


def filled(shard: Shard, calls: int = 200) -> tuple[list[Path], list[Records]]:
    """Log rows, events and rich records; return the segments, and what each of them holds."""
    for step in range(calls):
        write(
            shard, step, {"loss": step / 3, f"m{step % 5}": step / 7}, (EVENT, RICH, ROW, ROW, ROW)[step % 5]
        )
    paths = segment_paths(shard.directory)
    assert len(paths) >= 4
    return paths, [alone(path) for path in paths]


def alone(path: Path) -> Records:
    """Return what is in one segment."""
    directory = path.parents[1] / "alone" / path.parent.name
    directory.mkdir(parents=True)
    shutil.copy(path, directory)
    found = records(ShardCursor(directory).read())
    shutil.rmtree(directory.parent)
    return found


def joined(parts: list[Records]) -> Records:
    return {seq: record for part in parts for seq, record in part.items()}


@given(st.lists(st.tuples(rows, st.sampled_from([ROW, ROW, EVENT, RICH])), max_size=60))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_all_that_is_written_is_read_back_bit_for_bit_over_any_segments(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[tuple[int, dict[str, float]], int]]
) -> None:
    shard = Shard(tmp_path_factory.mktemp("run"), rank=0, host="here", segment_bytes=2048)
    cursor = ShardCursor(shard.directory)
    expected, followed = [], Batch()
    for (step, values), kind in calls:
        expected.append(write(shard, step, values, kind))
        followed.extend(cursor.read())
    shard.close()
    for found, damage in (
        read(shard.directory),
        (records(followed), [item.text for item in followed.damage]),
    ):
        assert [found[seq] for seq in sorted(found)] == expected
        assert damage == []


@given(st.data())
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
def test_any_damage_leaves_a_prefix_of_each_segment_and_is_named(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damage_anywhere(tmp_path_factory, data)


@pytest.mark.long
@pytest.mark.timeout(1800)
@given(st.data())
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=2000)
def test_any_damage_leaves_a_prefix_of_each_segment_and_is_named_two_thousand_times(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damage_anywhere(tmp_path_factory, data)


def damage_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    shard = Shard(tmp_path_factory.mktemp("run"), rank=0, host="here", segment_bytes=SMALL_BYTES)
    paths, parts = filled(shard)
    shard.close()
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    where = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["flip", "noise", "zeros", "cut"]))
    length = data.draw(st.integers(1, 600))
    if how == "flip":
        content[where] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "noise":
        content[where : where + length] = random.Random(where).randbytes(len(content[where : where + length]))
    elif how == "zeros":
        content[where : where + length] = bytes(len(content[where : where + length]))
    else:
        del content[where:]
    path.write_bytes(content)

    found, damage = read(shard.directory)

    for other, part in zip(paths, parts, strict=True):
        survived = [seq for seq in part if seq in found]
        assert survived == list(part)[: len(survived)]
        assert other == path or len(survived) == len(part)
    whole = joined(parts)
    assert all(record == whole[seq] for seq, record in found.items())
    assert len(damage) <= 1
    assert all(path.name in text for text in damage)
    # Zeros at the very end of the last segment are what an end looks like.
    assert damage or found == whole or (path == paths[-1] and how in ("zeros", "flip"))


def test_the_tail_is_cut_at_every_byte(shard: Shard) -> None:
    """Rows, an event, a rich record and a new shape; cut short, and zeros in place of what is cut."""
    for step in range(3):
        shard.row(step, {"a": float(step)})
    start = HEADER_BYTES + ShardCursor(shard.directory).read().n_bytes
    for step, kind in enumerate((EVENT, RICH, ROW, ROW), 3):
        write(shard, step, {"a": 1.5, "b": -2.5}, kind)
    end = HEADER_BYTES + ShardCursor(shard.directory).read().n_bytes
    (path,) = segment_paths(shard.directory)
    whole, content = read(shard.directory)[0], path.read_bytes()
    for cut in range(start, end):
        for rest in (b"", bytes(len(content) - cut)):
            path.write_bytes(content[:cut] + rest)
            found, damage = read(shard.directory)
            assert list(found) == list(whole)[: len(found)]
            assert all(record == whole[seq] for seq, record in found.items())
            if rest == b"":
                assert len(damage) == 1, cut
                assert path.name in damage[0]
            # A live process is only writing it.
            assert ShardCursor(shard.directory).read().damage == []
    path.write_bytes(content)


def test_a_record_that_was_being_written_when_its_process_died_is_no_damage(shard: Shard) -> None:
    for step in range(5):
        shard.row(step, {"a": float(step)})
    (path,) = segment_paths(shard.directory)
    content = bytearray(path.read_bytes())
    last = HEADER_BYTES + ShardCursor(shard.directory).read().n_bytes - RECORD_BYTES - 8
    content[last : last + 4] = bytes(4)  # the checksum is what comes last
    path.write_bytes(content)
    found, damage = read(shard.directory)
    assert (len(found), damage) == (4, [])


@pytest.mark.parametrize("which", [0, 1, -1])
@pytest.mark.parametrize("size", [None, 0, 100, HEADER_BYTES, HEADER_BYTES + 20, 2000])
def test_a_segment_that_is_gone_or_cut_short_costs_no_other(
    shard: Shard, which: int, size: int | None
) -> None:
    paths, parts = filled(shard)
    if size is None:
        paths[which].unlink()
    else:
        os.truncate(paths[which], size)

    found, damage = read(shard.directory)

    others = joined([part for path, part in zip(paths, parts, strict=True) if path != paths[which]])
    assert {seq: found[seq] for seq in others} == others
    assert set(found) - set(others) < set(parts[which])
    if size is None and which == -1:
        return  # nothing says that there was another one
    (text,) = damage
    assert paths[which].name in text or (size is None and which == 0 and paths[1].name in text)


def test_a_segment_that_is_gone_while_it_is_followed_is_named(shard: Shard) -> None:
    cursor = ShardCursor(shard.directory)
    for step in range(10):
        shard.row(step, {"a": float(step)})
    cursor.read()
    shard.row(11, {"a": 0.0})
    segment_paths(shard.directory)[-1].unlink()
    assert [damage.text for damage in cursor.ending()] == [f"{shard.directory.name}/00000001.kbj is missing"]
    filled(shard)
    (damage,) = cursor.read().damage
    assert damage.text == f"{shard.directory.name}/00000001.kbj is missing"


def test_swapped_segments_are_read_in_their_order(shard: Shard) -> None:
    paths, parts = filled(shard)
    first, second = paths[1].read_bytes(), paths[2].read_bytes()
    paths[1].write_bytes(second)
    paths[2].write_bytes(first)
    assert read(shard.directory) == (joined(parts), [])


@pytest.mark.parametrize("which", [0, 2, -1])
def test_a_copy_of_a_segment_counts_nothing_twice(shard: Shard, which: int) -> None:
    paths, parts = filled(shard)
    shutil.copy(paths[which], shard.directory / "00000099.kbj")
    found, damage = read(shard.directory)
    assert found == joined(parts)
    assert len(damage) == 1
    assert "a copy" in damage[0]


def test_a_copy_of_a_segment_does_not_end_the_reading_of_the_live_one(shard: Shard) -> None:
    cursor = ShardCursor(shard.directory)
    filled(shard)
    cursor.read()
    shutil.copy(segment_paths(shard.directory)[-1], shard.directory / "99999999.kbj")
    (shard.directory / "99999998.kbj").write_bytes(bytes(SMALL_BYTES))
    cursor.read()
    shard.row(10_000, {"later": 1.0})
    assert cursor.read().columns["later"].steps.tolist() == [10_000]
    assert segment_paths(shard.directory)[-3] not in cursor.consumed


def test_a_segment_of_another_shard_is_left_out(shard: Shard, tmp_path: Path) -> None:
    parts = filled(shard)[1]
    other = Shard(tmp_path / "journal", rank=1, host="here")
    other.row(0, {"strange": 1.0})
    shutil.copy(segment_paths(other.directory)[0], shard.directory / "00000000.kbj")
    found, (text,) = read(shard.directory)
    assert found == joined(parts)
    assert "another shard" in text


def test_a_number_that_no_segment_got_because_the_disk_was_full_is_no_damage(shard: Shard) -> None:
    shard.row(0, {"a": 0.0})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        with pytest.raises(OSError):  # noqa: PT012  (whichever call needs a segment)
            for step in range(1, 500):
                shard.row(step, {"a": float(step)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    time.sleep(1.1)
    shard.row(1000, {"a": 1.0})
    assert segment_paths(shard.directory)[-1].name > "00000002.kbj"
    found, damage = read(shard.directory)
    assert len(found) > 2
    assert damage == []


def sealed(shard: Shard, tag: int, payload: bytes, time_s: float | None = None) -> None:
    """Append a record of any content; with a time, rewritten so that its checksum fits."""
    shard._append(tag, 7, payload)
    if time_s is None:
        return
    data, at = shard._bytes, shard._offset - ((RECORD_BYTES + len(payload) + 7) & ~7)
    data[at + 32 : at + 40] = np.array(time_s).tobytes()
    shard._words[at >> 2] = adler32(data[at + 4 : at + RECORD_BYTES + len(payload)])


def packed(body: Any) -> bytes:
    return msgspec.msgpack.encode(body)


ITEM = {"name": "x", "index": 0}
GROUP: dict[str, Any] = {
    **ITEM, "type": "histograms", "bins": 4, "precision": "exact", "values": [], "places": [], "place": "|u1",
    "data": b"",
}  # fmt: skip
START: dict[str, Any] = {
    "type": "start", "run_id": "r", "name": "r", "default_name": "r", "project": "p", "group": None, "notes": None,
    "tags": [], "config": {}, "process": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "payload"),
    [
        (99, b"whatever"),
        (0, b""),
        (12345 << 8 | ROW, bytes(8)),
        (0 << 8 | ROW, bytes(24)),
        (0 << 8 | ROW, b""),
        (7 << 8 | SHAPE, b"no JSON"),
        (7 << 8 | SHAPE, b'{"a": 1}'),
        (7 << 8 | SHAPE, b"[1, 2]"),
        (7 << 8 | SHAPE, b'["\\ud800"]'),
        (7 << 8 | SHAPE, b"[" * 100_000),
        (EVENT, b"\xff\xfe"),
        (EVENT, b"[]"),
        (EVENT, b"{}"),
        (EVENT, b'{"type": 3}'),
        (EVENT, b'{"type": "start"}'),
        (EVENT, b'{"type": "config", "set": [], "remove": []}'),
        (EVENT, json.dumps({**START, "attempt": "two"}).encode()),
        (EVENT, json.dumps({**START, "at_step": 2**63}).encode()),
        (EVENT, json.dumps({**START, "fork_from": {"run": 3}}).encode()),
        (EVENT, b'{"type": "tags", "add": [1]}'),
        (EVENT, b'{"type": "finish", "status": null, "error": 3}'),
        (RICH, b""),
        (RICH, b"\xc1"),
        (RICH, packed([])),
        (RICH, packed({"scalars": {"a": "text"}, "items": []})),
        (RICH, packed({"scalars": {}, "items": [3]})),
        (RICH, packed({"scalars": {}, "items": [{}]})),
        (RICH, packed({"scalars": {}, "items": [{**ITEM, "type": "media"}]})),
        (RICH, packed({"scalars": {}, "items": [{**ITEM, "type": "table", "columns": 3, "rows": {}}]})),
        (RICH, packed({"scalars": {}, "items": [{**ITEM, "index": 2**63, "type": "histogram"}]})),
        (RICH, packed({"scalars": {}, "items": [{**ITEM, "type": "histograms"}]})),
        (RICH, packed({"scalars": {}, "items": [{**GROUP, "values": [["a", "no dtype", 1]]}]})),
        (RICH, packed({"scalars": {}, "items": [{**GROUP, "values": [["a", "<f4"]]}]})),
        (RICH, packed({"scalars": {}, "items": [{**GROUP, "places": [["a", 1, 0.0, "x"]]}]})),
    ],
)
def test_a_record_that_makes_no_sense_is_left_out_and_named_once(
    shard: Shard, tag: int, payload: bytes
) -> None:
    shard.row(1, {"a": 1.0})
    sealed(shard, tag, payload)
    sealed(shard, tag, payload)
    shard.row(2, {"a": 2.0})
    cursor = ShardCursor(shard.directory)
    batch = cursor.read()
    assert batch.columns["a"].values.tolist() == [1.0, 2.0]
    assert not batch.events
    assert not batch.items
    named = [damage.text.split(":")[0] for damage in batch.damage if "left out" in damage.text]
    assert sorted(set(named)) == named
    assert len(named) == len(batch.damage) > 0


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_time_that_is_none_hurts_nobody(shard: Shard, time_s: float) -> None:
    shard.row(1, {"a": 1.0})
    sealed(shard, 0 << 8 | ROW, bytes(8), time_s)
    sealed(shard, EVENT, json.dumps({"type": "tags", "add": ["t"]}).encode(), time_s)
    batch = ShardCursor(shard.directory).read()
    assert len(batch.columns["a"].times) == 2
    assert batch.events[0].time_us >= 0


def test_a_header_that_makes_no_sense_is_no_header(shard: Shard) -> None:
    (path,) = segment_paths(shard.directory)
    content = path.read_bytes()[:HEADER_BYTES]
    change: Callable[[bytes, bytes], bytes] = lambda old, new: content.replace(old, new)  # noqa: E731
    for bad in (
        change(b'"rank": 0', b'"rank":[]'),
        change(b'"rank"', b'"rang"'),
        change(b"{", b"["),
        b"",
        b"KBJ",
    ):
        body = bad[16:]
        assert decode_header(bad[:12] + adler32(body).to_bytes(4, "little") + body) is None
    assert decode_header(content) is not None
