"""trackio with its local folder."""

from __future__ import annotations

import os
from pathlib import Path

from tests.benchmarks.peers.driver import Finish, Log, drive


def start(directory: Path) -> tuple[Log, Finish]:
    os.environ["TRACKIO_DIR"] = str(directory)
    import trackio

    run = trackio.init("peer", name="peer", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    return lambda metrics, step: run.log(metrics, step=step), trackio.finish


def read(directory: Path) -> int:
    os.environ["TRACKIO_DIR"] = str(directory)
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs("peer", "peer")
    return sum(isinstance(value, float) for row in rows for value in row.values())


if __name__ == "__main__":
    drive(start, read)
