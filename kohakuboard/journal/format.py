"""The bytes of a journal, for both ends.

A shard is a directory of segments, `journal/<shard>/00000001.kbj` and on. All numbers are little-endian.

    segment header, HEADER_BYTES long
    offset  type   field
    0       8s     magic
    8       u32    format version
    12      u32    Adler-32 of bytes 16 … HEADER_BYTES
    16      i64    seq of the last record before this segment, -1 when there is none
    24      u64    length of the file in bytes; 0 when it grows with each record
    32      u32    length of the identity
    36      …      identity: JSON object (see ShardIdentity)

    record, 8-byte aligned, behind the header or the record before
    offset  type   field
    0       u32    Adler-32 of bytes 4 … length
    4       u32    length of the record in bytes, this header included, padding excluded
    8       u64    tag: kind in the low byte, number of the shape above it
    16      i64    seq
    24      i64    step
    32      f64    wall time, s since 1970 UTC, to a quarter of a microsecond
    40      …      payload

    kind    payload
    ROW     one f64 for each name of the shape: fixed size, so that numpy decodes thousands at once
    SHAPE   JSON list of metric names; the tag carries the number that rows use from here on
    EVENT   JSON object with a "type": start, config, summary, tags, alert, artifact, artifact_use,
            dropped, finish
    RICH    msgpack: scalars logged in the same call, and histograms, media, tables

A file is allocated and zero-filled before use, and has its header before it has its name. A length of 0 is the end of
the log. So is a record whose checksum does not fit: it is being written, or was when its process died. Shapes are
declared anew in each segment, so a segment is read without those before it. `seq` rises with each record of a shard;
where segments change, it skips. A header's word on the record before it tells whether anything is missing in between;
numbers of segments cannot, since one that the disk had no room for has used up its number.

Adler-32 and not CRC-32, whose tables of 16 KiB are out of the processor's caches after a training step: docs/
architecture.md has the figures.
"""

from __future__ import annotations

import json
import struct
from typing import Final, NamedTuple
from zlib import adler32 as checksum
from zlib import crc32

__all__ = [
    "EVENT",
    "HEADER_BYTES",
    "MACHINE_LETTER",
    "RECORD",
    "RECORD_BYTES",
    "RICH",
    "ROW",
    "SEGMENT_SUFFIX",
    "SHAPE",
    "SegmentHeader",
    "ShardIdentity",
    "align",
    "checksum",
    "decode_header",
    "encode_header",
    "machine_rank",
    "segment_name",
    "shard_name",
]

MAGIC: Final = b"KBJ\r\n\x1a\n\x00"
VERSION: Final = 2
HEADER_BYTES: Final = 1024
SEGMENT_SUFFIX: Final = ".kbj"
MACHINE_LETTER: Final = "s"

ROW: Final = 1
SHAPE: Final = 2
EVENT: Final = 3
RICH: Final = 4

RECORD: Final = struct.Struct("<IIQqqd")
RECORD_BYTES: Final = RECORD.size

_PREFIX: Final = struct.Struct("<8sII")
_BODY: Final = struct.Struct("<qQI")


class ShardIdentity(NamedTuple):
    """Name the process that writes a shard.

    `process_start` is the kernel's start mark of the process (None where there is none): with `pid` and `host` it
    tells a process from a later one of the same number. `started_ns` is in ns since 1970 UTC. `parent` is the shard of
    the process that this one got its board from, by a fork or a pickle; a shard without one is a trainer's own.
    Below 0, `rank` is that of a machine (see machine_rank): its shards hold samples that a writer took.
    """

    shard: str
    rank: int
    pid: int
    host: str
    started_ns: int
    process_start: int | None
    parent: str | None = None


class SegmentHeader(NamedTuple):
    """Hold what a segment says of itself."""

    after_seq: int
    size: int
    identity: ShardIdentity


def machine_rank(host: str) -> int:
    """Return the rank of a machine among those of a run: below 0, where no process's is."""
    return -1 - crc32(host.encode("utf-8", "replace"))


def shard_name(rank: int, started_ns: int, pid: int, mark: str) -> str:
    """Return the name of a shard: r<rank>-<start in ns, hexadecimal>-<pid>-<random>, of a machine s<…>-….

    Its first letter is all that tells the two apart where only the name, or a hash of it, is known.
    """
    return f"{'r' if rank >= 0 else MACHINE_LETTER}{abs(rank)}-{started_ns:x}-{pid:x}-{mark}"


def segment_name(number: int) -> str:
    """Return the file name of the segment with that number, counted from 1."""
    return f"{number:08d}{SEGMENT_SUFFIX}"


def align(length: int) -> int:
    """Round a length in bytes up to the next record boundary."""
    return (length + 7) & ~7


def encode_header(header: SegmentHeader) -> bytes:
    """Return the HEADER_BYTES bytes that open a segment."""
    identity = json.dumps(header.identity._asdict(), ensure_ascii=True).encode()
    body = _BODY.pack(header.after_seq, header.size, len(identity)) + identity
    body = body.ljust(HEADER_BYTES - _PREFIX.size, b"\0")
    return _PREFIX.pack(MAGIC, VERSION, checksum(body)) + body


def decode_header(data: bytes | memoryview) -> SegmentHeader | None:
    """Read the opening of a segment; None when it is not one that this version can read."""
    if len(data) < HEADER_BYTES:
        return None
    magic, version, check = _PREFIX.unpack_from(data, 0)
    body = bytes(data[_PREFIX.size : HEADER_BYTES])
    if magic != MAGIC or version != VERSION or checksum(body) != check:
        return None
    after_seq, size, length = _BODY.unpack_from(body, 0)
    try:
        identity = ShardIdentity(**json.loads(body[_BODY.size : _BODY.size + length]))
    except (TypeError, ValueError, RecursionError):
        return None
    return SegmentHeader(after_seq, size, identity) if _is_sound(identity) else None


def _is_sound(identity: ShardIdentity) -> bool:
    texts = (identity.shard, identity.host)
    numbers = (identity.rank, identity.pid, identity.started_ns, identity.process_start or 0)
    return all(isinstance(text, str) for text in texts) and all(
        isinstance(number, int) and -(2**63) <= number < 2**63 for number in numbers
    )
