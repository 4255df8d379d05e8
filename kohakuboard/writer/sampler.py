"""Sample the machine beside the drain, and log the samples: as every process, to a shard of the run's journal.

So they are read at once, stored with the rest, and no different from other points. What keeps them apart is their rank,
below 0: that of the machine. A sample is not worth a commit of its own: SAMPLES_AGE_S of them go together.

The step of a sample is the number of whole seconds since the run began. It rises whatever training does, is nearly
even (and so nearly free on disk), and goes on when the run is continued.

A thread does it, since a driver, or a disk that does not answer, may keep it waiting, and the journal must not wait. In
the first second of a run nothing is done at all: a run that is over by then does not pay for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from ..journal.format import machine_rank
from ..journal.process import host_name
from ..journal.settings import settings
from ..journal.shard import Shard
from ..journal.written import open_shard

__all__ = ["PREFIX", "SAMPLES_AGE_S", "Sampler"]

log = logging.getLogger("kohakuboard.writer")

PREFIX: Final = "system/"
SAMPLES_AGE_S: Final = 300.0
FIRST_S: Final = 1.0
# 1000 samples of 25 numbers: one and a half hours.
SEGMENT_BYTES: Final = 256 << 10
LAST_WAIT_S: Final = 0.5

Sample = Callable[[Iterable[int]], dict[str, float]]


def _machine(run: Path) -> Sample:
    """Return what takes a sample of this machine. Imported here: psutil takes 30 ms."""
    from .gpus import Gpus, nvml
    from .machine import Machine

    machine, gpus = Machine(run), Gpus(nvml())
    return lambda trainers: {**machine.sample(trainers), **gpus.sample()}


class Sampler:
    """Log samples of the machine, every so often, from `watch` until `close`.

    Args:
        run: The directory of the run.
        every_s: The time between two samples, in seconds; 0 for none.
        machine: What makes, in the sampler's thread, what takes a sample.
    """

    def __init__(self, run: Path, every_s: float, machine: Callable[[Path], Sample] = _machine) -> None:
        self._run = run
        self._every_s = every_s
        self._machine = machine
        self._over = threading.Event()
        self._trainers: frozenset[int] = frozenset()
        self._started_us = 0
        self._shard: Shard | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Sampler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def watch(self, trainers: frozenset[int], started_us: int | None) -> None:
        """Say which processes are the run's, and when it began, in µs since 1970 UTC; begin, if that is known."""
        self._trainers = trainers
        self._started_us = started_us or self._started_us
        if self._every_s and self._started_us and self._thread is None:
            self._thread = threading.Thread(target=self._sample, name="sampler", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Take no more samples, and end their shard."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(LAST_WAIT_S)
        shard, self._shard = self._shard, None
        if shard is not None:
            if shard.directory.is_dir():  # or it would be made again
                with suppress(OSError):
                    shard.event(0, {"type": "finish", "status": "finished", "error": None})
            shard.close()

    def _sample(self) -> None:
        pause_s = min(FIRST_S, self._every_s)
        if self._over.wait(pause_s):
            return
        try:
            sample = self._machine(self._run)
            sample(self._trainers)  # rates begin with the second one
            while not self._over.wait(pause_s):
                self._append(sample(self._trainers))
                pause_s = self._every_s
        except Exception as exc:  # noqa: BLE001  (the end of a thread: the run goes on without samples)
            if not self._over.is_set():
                log.warning("no more samples are taken of this machine: %s: %s", type(exc).__name__, exc)

    def _append(self, values: dict[str, float]) -> None:
        if self._shard is None and not self._over.is_set():
            self._shard = self._open_shard()
        step = time.time_ns() // 1_000_000_000 - self._started_us // 1_000_000
        shard = self._shard
        # Were the directory gone, the shard would make it again, of a run that somebody deleted.
        if shard is not None and shard.directory.is_dir():
            with suppress(OSError):
                shard.row(step, {f"{PREFIX}{name}": value for name, value in values.items()})

    def _open_shard(self) -> Shard | None:
        if not self._run.is_dir():
            return None
        host = host_name()
        try:
            return open_shard(
                self._run / "journal",
                rank=machine_rank(host),
                host=host,
                way=settings().journal,
                segment_bytes=SEGMENT_BYTES,
            )
        except OSError as exc:
            log.info("a sample of the machine finds no room: %s", exc)
            return None
