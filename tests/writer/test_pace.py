"""When a writer flushes: by what was read, how old that is, and what somebody waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kohakuboard.writer.pace import FLUSH_AGE_S, FLUSH_BYTES, FLUSH_STAGED_BYTES, Pace


@dataclass
class Read:
    """Stand for a drain that has read something."""

    pending_bytes: int = 100
    staged_bytes: int = 0
    has_urgent: bool = False
    has_rich: bool = False
    has_pending_finish: bool = False


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    pace = Pace(clock)
    pace.flushed(clock.now)
    return pace


def wait(pace: Pace, clock: Clock, **read: Any) -> float:
    """Return how long it takes until what was read is flushed, to a tenth of a second."""
    began = clock.now
    while not pace.is_time(Read(**read), over=False):  # type: ignore[arg-type]
        clock.now += 0.1
    return round(clock.now - began, 1)


def test_the_first_flush_comes_at_once(clock: Clock) -> None:
    assert wait(Pace(clock), clock) == 0


def test_scalars_wait_since_readers_see_them_in_the_journal(pace: Pace, clock: Clock) -> None:
    assert wait(pace, clock) == pytest.approx(FLUSH_AGE_S, abs=0.2)


@pytest.mark.parametrize("read", [{"pending_bytes": FLUSH_BYTES}, {"staged_bytes": FLUSH_STAGED_BYTES}])
def test_a_journal_or_staged_files_of_some_size_do_not_wait(
    pace: Pace, clock: Clock, read: dict[str, int]
) -> None:
    assert wait(pace, clock, **read) == 0


def test_a_rich_value_after_a_quiet_time_is_stored_at_once(pace: Pace, clock: Clock) -> None:
    clock.now += 5
    pace.nothing_waits()
    assert wait(pace, clock, has_rich=True) == 0


def test_rich_values_without_end_leave_pauses_that_grow_with_the_time_of_a_flush(
    pace: Pace, clock: Clock
) -> None:
    assert 1 < wait(pace, clock, has_rich=True) < 2
    clock.now += 1
    pace.flushed(clock.now - 1)
    assert 3.5 < wait(pace, clock, has_rich=True) < 4.5
    clock.now += 30
    pace.flushed(clock.now - 30)
    assert wait(pace, clock, has_rich=True) == pytest.approx(FLUSH_AGE_S, abs=0.2)


def test_an_alert_waits_for_others_a_second(pace: Pace, clock: Clock) -> None:
    clock.now += 5
    pace.nothing_waits()
    assert 0.8 < wait(pace, clock, has_urgent=True) < 1.2


def test_a_finish_and_the_end_of_the_trainer_do_not_wait(pace: Pace) -> None:
    assert pace.is_time(Read(has_pending_finish=True), over=False)  # type: ignore[arg-type]
    assert pace.is_time(Read(), over=True)  # type: ignore[arg-type]
