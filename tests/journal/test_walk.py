"""Rows that are looked at together, against a walk that takes them one by one."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohakuboard.journal.format import HEADER_BYTES, RECORD, RECORD_BYTES, ROW
from kohakuboard.journal.scan import Batch, ShardCursor
from kohakuboard.journal.shard import Shard

SHAPES = (("a",), ("b",), ("a", "b", "c"), tuple(f"m{i}" for i in range(40)))
Row = tuple[int, int, int]  # seq, step, and the bits of the first value


def one_by_one(path: Path) -> tuple[dict[int, list[Row]], int]:
    """Return the rows of a segment up to its first damage, by how many values each has, and the last seq there."""
    data, offset, last = path.read_bytes(), HEADER_BYTES, -1
    found: dict[int, list[Row]] = {}
    while offset + RECORD_BYTES <= len(data):
        check, length, tag, seq, step, _ = RECORD.unpack_from(data, offset)
        record = data[offset : offset + length]
        if len(record) < max(length, RECORD_BYTES) or seq <= last or zlib.adler32(record[4:]) != check:
            break
        if tag & 0xFF == ROW:
            [bits] = struct.unpack_from("<q", record, RECORD_BYTES)
            found.setdefault((length - RECORD_BYTES) // 8, []).append((seq, step, bits))
        last, offset = seq, offset + (length + 7) // 8 * 8
    return found, last


def together(batch: Batch) -> dict[int, list[Row]]:
    """Return the same of what was read; each size has a name of its own but the first, which two shapes share."""
    found: dict[int, list[Row]] = {}
    values_of = {"c": 3, "m0": 40}
    in_threes = set(batch.columns["c"].seqs.tolist()) if "c" in batch.columns else set()
    for name, column in batch.columns.items():
        if name in ("a", "b"):
            rows = zip(
                column.seqs.tolist(), column.steps.tolist(), column.values.view("i8").tolist(), strict=True
            )
            found[1] = sorted([*found.get(1, []), *(row for row in rows if row[0] not in in_threes)])
        elif name in values_of:
            first = batch.columns["a"] if name == "c" else column
            bits = dict(zip(first.seqs.tolist(), first.values.view("i8").tolist(), strict=True))
            found[values_of[name]] = [
                (seq, step, bits[seq])
                for seq, step in zip(column.seqs.tolist(), column.steps.tolist(), strict=True)
            ]
    return {n: rows for n, rows in found.items() if rows}


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from([1, 5, 127, 128, 129, 130, 400, 2000]), min_size=1, max_size=8),
    st.sampled_from(SHAPES),
    st.sampled_from(SHAPES),
    st.sampled_from(["none", "byte", "byte", "cut", "seq"]),
    st.randoms(use_true_random=False),
)
def test_rows_that_follow_each_other_are_read_as_one_by_one_up_to_any_damage(
    runs: list[int], one: tuple[str, ...], other: tuple[str, ...], damage: str, random: Random
) -> None:
    with TemporaryDirectory() as folder:
        shard = Shard(Path(folder), rank=0, host=os.uname().nodename, segment_bytes=8 << 20)
        cursor, batch, step = ShardCursor(shard.directory), Batch(), 0
        for n_rows in runs:
            for _ in range(n_rows):
                shard.row(step := step + 1, dict.fromkeys(one, step / 3))
            one, other = other, one
            if damage == "none":  # what a reader goes on with begins anywhere
                batch.extend(cursor.read())
        [path] = shard.directory.glob("*.kbj")
        shard.close()
        if damage != "none":
            harm(path, damage, random)
        batch.extend(cursor.read())
        expected, last_seq = one_by_one(path)
        assert together(batch) == expected
        assert batch.last_seq == last_seq


def records(data: bytes | bytearray) -> list[int]:
    """Return where the records of a segment begin."""
    found, offset = [], HEADER_BYTES
    while offset + RECORD_BYTES <= len(data) and (length := RECORD.unpack_from(data, offset)[1]):
        found.append(offset)
        offset += (length + 7) // 8 * 8
    return found


def harm(path: Path, damage: str, random: Random) -> None:
    """Change a record: one byte of it, its seq with a checksum that fits, or cut the file in it."""
    data = bytearray(path.read_bytes())
    at = random.choice(records(data))
    length = RECORD.unpack_from(data, at)[1]
    if damage == "byte":
        data[at + random.randrange(length)] ^= 1 << random.randrange(8)
    elif damage == "cut":
        del data[at + random.randrange(length) :]
    else:
        struct.pack_into("<q", data, at + 16, 3)
        struct.pack_into("<I", data, at, zlib.adler32(data[at + 4 : at + length]))
    path.write_bytes(data)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_all_rows_of_a_long_run_are_read(tmp_path: Path, shape: int) -> None:
    shard = Shard(tmp_path, rank=0, host=os.uname().nodename)
    for step in range(30_000):
        shard.row(step, dict.fromkeys(SHAPES[shape], step))
    shard.close()
    columns = ShardCursor(shard.directory).read().columns
    assert columns.keys() == set(SHAPES[shape])
    for column in columns.values():
        assert column.steps.tolist() == column.values.tolist() == list(range(30_000))
        assert (column.seqs[1:] > column.seqs[:-1]).all()


def test_a_row_of_another_shape_and_the_same_size_is_told_from_those_around_it(tmp_path: Path) -> None:
    shard = Shard(tmp_path, rank=0, host=os.uname().nodename)
    for step in range(800):
        shard.row(step, {"b" if step in (0, 300) else "a": step})
    shard.close()
    columns = ShardCursor(shard.directory).read().columns
    assert columns["b"].steps.tolist() == [0, 300]
    assert columns["a"].steps.tolist() == [step for step in range(800) if step not in (0, 300)]
