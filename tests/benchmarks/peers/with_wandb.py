"""wandb, offline.

It has no public way to read what it wrote offline without sending it away first. The file is a LevelDB log of protocol
buffers; `read` takes it apart with as little work as possible.

    block, 32 KiB, the first behind a header of 7 bytes:  chunks; a rest of less than 7 bytes is padding
    chunk:   u32 CRC, u16 length, u8 type (1 whole, 2 first, 3 middle, 4 last), data
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.driver import Finish, Log, drive

BLOCK_BYTES = 32 * 1024
CHUNK = struct.Struct("<IHB")


def start(directory: Path) -> tuple[Log, Finish]:
    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_CONSOLE="off")
    import wandb

    settings = wandb.Settings(x_disable_stats=True, x_disable_meta=True)
    run = wandb.init(project="peer", dir=str(directory), mode="offline", settings=settings)
    return lambda metrics, step: run.log(metrics, step=step), run.finish


def read(directory: Path) -> int:
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = directory.rglob("*.wandb")
    points = 0
    for data in records(file.read_bytes()):
        record: Any = Record.FromString(data)
        points += sum(
            isinstance(json.loads(item.value_json), float)
            for item in record.history.item
            if not (item.key or item.nested_key[0]).startswith("_")
        )
    return points


def records(data: bytes) -> Iterator[bytes]:
    offset, parts = 7, list[bytes]()
    while offset + CHUNK.size <= len(data):
        if (rest := BLOCK_BYTES - offset % BLOCK_BYTES) < CHUNK.size:
            offset += rest
            continue
        _, length, kind = CHUNK.unpack_from(data, offset)
        offset += CHUNK.size
        parts.append(data[offset : offset + length])
        offset += length
        if kind in (1, 4):
            yield b"".join(parts)
            parts.clear()


if __name__ == "__main__":
    drive(start, read)
