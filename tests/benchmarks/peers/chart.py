"""Time what a page of one tracker gets for the chart of one metric, with all that was logged loaded already.

    python -m tests.benchmarks.peers.chart NAME DIRECTORY POINTS    prints {"chart_ms"}, the median of a few

Ours is the whole request; of others it is what their servers do to answer: to take the points out of what they keep,
and to write them as JSON.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

Chart = Callable[[], object]

ROUNDS = 7


def kohakuboard(directory: Path, values: list[float]) -> Chart:
    """Return what asks our viewer for a window of the curve, another one each time."""
    from starlette.testclient import TestClient

    from kohakuboard import Board
    from kohakuboard_viewer.app import create_app

    with Board("peer", project="p", base_dir=directory, capture_output=False) as board:
        for step, value in enumerate(values):
            board.log(step=step, loss=value)
    client, windows = TestClient(create_app(directory)), iter(range(ROUNDS + 1))

    def chart() -> None:
        query: dict[str, str | int] = {"metric": "loss", "width": 700, "lo": next(windows)}
        client.get(f"/run/p/{board.id}/series", params=query).raise_for_status()

    return chart


def trackio(directory: Path, values: list[float]) -> Chart:
    """Return what takes the run's logs out of trackio's database."""
    os.environ["TRACKIO_DIR"] = str(directory)
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    run = trackio.init("peer", name="peer", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    for step, value in enumerate(values):
        run.log({"loss": value}, step=step)
    trackio.finish()
    return lambda: json.dumps(SQLiteStorage.get_logs("peer", "peer"))


def tensorboardx(directory: Path, values: list[float]) -> Chart:
    """Return what takes a tag out of TensorBoard's accumulator, as its scalars plugin does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(directory))
    for step, value in enumerate(values):
        writer.add_scalar("loss", value, step)
    writer.close()
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    return lambda: json.dumps(
        [(event.wall_time, event.step, event.value) for event in events.Scalars("loss")]
    )


def main() -> None:
    """Do what the command line says."""
    name, directory, points = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    draw = random.Random(0)
    start = {"kohakuboard": kohakuboard, "trackio": trackio, "tensorboardx": tensorboardx}[name]
    chart = start(directory, [draw.random() for _ in range(points)])
    chart()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        chart()
        times.append(time.perf_counter() - began)
    print(json.dumps({"chart_ms": statistics.median(times) * 1e3}), flush=True)


if __name__ == "__main__":
    main()
