"""Runs that live through anything, step by step: points, flushes, merges, attempts and other writers, in any order."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from hypothesis import strategies as st

from kohakuboard.journal.shard import Shard
from kohakuboard.writer.drain import Drain

__all__ = ["Life", "happenings"]

HOST = os.uname().nodename
VALUES = [math.nan, math.inf, -math.inf, -0.0, 5e-324, -1.7e308]
START: dict[str, Any] = {
    **dict.fromkeys(("name", "group", "notes")),
    **dict.fromkeys(("run_id", "default_name"), "r"),
    "config": {},
    "process": {},
    "type": "start",
    "project": "p",
    "tags": [],
}

Happening = tuple[Any, ...]


def happenings(*more: st.SearchStrategy[Happening]) -> st.SearchStrategy[list[Happening]]:
    """Draw what happens to a run; `more` is what somebody does who looks at it."""
    metric = st.sampled_from(["loss", "loss", "loss", "eval"])
    on = st.tuples(st.just("log"), metric, st.sampled_from([1, 1, 1, 2, 5, 90]), st.just(1))
    anyhow = st.tuples(st.just("log"), metric, st.integers(1, 4), st.sampled_from([0, 2, 1000, -1, -7]))
    old = st.tuples(st.just("log of an old shard"), metric, st.integers(0, 3), st.integers(-5, 200))
    attempt = st.tuples(st.just("attempt"), st.none() | st.integers(-1, 150))
    rare = st.sampled_from([("child",), ("rank",), ("writer",), ("renew",), ("flush to lance",)])
    often = st.sampled_from([("flush",), ("flush",), ("merge",)])
    return st.lists(
        st.one_of(on, on, on, often, *more, anyhow, *more, old, attempt, rare, *more), max_size=24
    )


class Life:
    """A run in the making; its writer commits and merges when it is told to. Values tell the points apart."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.shards: list[Shard] = []
        self._values = itertools.count()
        self._step = 0
        self._clock = 1.7e9
        self._attempts = 0
        self._attempt(None)
        self._drain: Drain | None = None
        self._writers = 0

    def __enter__(self) -> Life:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for shard in self.shards:
            shard.close()
        if self._drain is not None:
            self._drain.close()

    @property
    def drain(self) -> Drain:
        """Return the writer, which begins when it is first needed."""
        if self._drain is None:
            self._drain = Drain(self.run, f"w{self._writers}")
        return self._drain

    def happen(self, what: str, *how: Any) -> None:
        """Do what `happenings` has drawn."""
        deeds: dict[str, Callable[..., Any]] = {
            "log": self._log,
            "log of an old shard": self._log_of_old,
            "flush": self._flush,
            "flush to lance": self._flush_to_lance,
            "merge": self._merge,
            "renew": lambda: self.drain.renew_summaries(),
            "attempt": self._attempt,
            "child": lambda: self._begin(0, parent=self.shards[-1].identity.shard),
            "rank": lambda: self._begin(1),
            "writer": self._next_writer,
        }
        deeds[what](*how)

    def _log(self, metric: str, size: int, by: int) -> None:
        for i in range(size):
            self._step += by if i == 0 else 1
            self._point(self.shards[-1], metric, self._step)

    def _log_of_old(self, metric: str, which: int, step: int) -> None:
        self._point(self.shards[which % len(self.shards)], metric, step)

    def _point(self, shard: Shard, metric: str, step: int) -> None:
        number = next(self._values)
        self._clock += -3 if number % 23 == 22 else 0.01
        value = VALUES[number // 7 % len(VALUES)] if number % 7 == 3 else number / 3
        row = {metric: value} if number % 5 else {metric: value, "eval": value}
        shard.row(step, row, lambda: self._clock)

    def _flush(self) -> None:
        self.drain.exhaust()

    def _flush_to_lance(self) -> None:
        """Do the first half of a flush, as when somebody looks in the middle of it, or the writer is killed there."""
        self.drain.poll()
        self.drain._store_scalars([source for source in self.drain._sources.values() if source.is_pending])

    def _merge(self) -> None:
        self.drain._scalars.maintain(final=True)

    def _next_writer(self) -> None:
        """Have another writer go on, with a dataset and a database of its own."""
        if self._drain is not None:
            self._drain.close()
            self._drain = None
            self._writers += 1

    def _attempt(self, at_step: int | None) -> None:
        self._attempts += 1
        self._begin(0).event(0, {**START, "attempt": self._attempts, "at_step": at_step})
        self._step = self._step if at_step is None else at_step

    def _begin(self, rank: int, parent: str | None = None) -> Shard:
        self.shards.append(
            Shard(self.run / "journal", rank=rank, host=HOST, parent=parent, segment_bytes=4096)
        )
        return self.shards[-1]
