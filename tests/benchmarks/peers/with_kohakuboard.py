"""KohakuBoard."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.peers.driver import Finish, Log, drive


def start(directory: Path) -> tuple[Log, Finish]:
    from kohakuboard import Board

    board = Board("peer", base_dir=directory, run_id="peer", capture_output=False)
    return lambda metrics, step: board.log(metrics, step=step), board.finish


def read(directory: Path) -> int:
    from kohakuboard.reader import open_run

    run = open_run(directory / "default" / "peer")
    return sum(len(run.series(name).value) for name in run.metrics)


if __name__ == "__main__":
    drive(start, read)
