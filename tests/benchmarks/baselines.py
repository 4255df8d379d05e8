"""The bare ways to get a dict out of a training loop, which `log` is measured against."""

from __future__ import annotations

import json
import multiprocessing
import os
import struct
from pathlib import Path
from typing import Any

from tests.benchmarks.timing import Subject

__all__ = ["JSON_LINE", "OS_WRITE", "QUEUE_PUT", "Baselines"]

JSON_LINE = "a JSON line, buffered file"
QUEUE_PUT = "Queue.put, with its feeder"
OS_WRITE = "the same bytes, os.write"


def consume(queue: Any) -> None:
    """Empty a queue, in a process of its own, until None comes."""
    while queue.get() is not None:
        pass


class Baselines:
    """Make the subjects that `log` takes turns with."""

    def __init__(self, directory: Path) -> None:
        self._json = (directory / "lines.jsonl").open("w")
        self._fd = os.open(directory / "rows.bin", os.O_WRONLY | os.O_CREAT)
        self._context = multiprocessing.get_context("spawn")

    def json_line(self) -> Subject:
        """Write a JSON line into a buffered file."""
        write, dumps = self._json.write, json.dumps
        return Subject(lambda metrics: write(dumps(metrics) + "\n"), self._json.flush)

    def queue_put(self) -> Subject:
        """Call multiprocessing.Queue.put, with its feeder thread, and a process that takes the dicts out."""
        queue = self._context.Queue()
        consumer = self._context.Process(target=consume, args=(queue,))
        consumer.start()
        queue.put({})

        def settle() -> None:
            queue.put(None)
            queue.close()
            queue.join_thread()
            consumer.join()

        return Subject(queue.put, settle)

    def os_write(self) -> Subject:
        """Do the cheapest that makes a system call: the same bytes as our row, with os.write."""
        fd, write, packers = self._fd, os.write, {n: struct.Struct(f"<IIQqqd{n}d").pack for n in (2, 100)}
        return Subject(lambda metrics: write(fd, packers[len(metrics)](56, 0, 1, 1, 1, 1, *metrics.values())))

    def close(self) -> None:
        """Let go of the files."""
        self._json.close()
        os.close(self._fd)
