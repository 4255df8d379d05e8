"""tensorboardX, read back by TensorBoard's own accumulator with nothing left out."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.peers.driver import Finish, Log, drive


def start(directory: Path) -> tuple[Log, Finish]:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(directory))
    add_scalar = writer.add_scalar

    def log(metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            add_scalar(name, value, step)

    return log, writer.close


def read(directory: Path) -> int:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    return sum(len([event.value for event in events.Scalars(tag)]) for tag in events.Tags()["scalars"])


if __name__ == "__main__":
    drive(start, read)
