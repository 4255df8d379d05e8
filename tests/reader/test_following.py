from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohakuboard.errors import MetricNotFoundError
from kohakuboard.reader import ByStep, Followed, Mark, Run, open_run
from tests.reader.lives import Happening, Life, happenings

LOOK = st.tuples(
    st.just("look"), st.integers(0, 2), st.sampled_from(["refresh", "refresh", "as it is", "anew"])
)


class Follower:
    """Somebody who keeps what he has read of a series, and asks for what came behind."""

    def __init__(self, name: str, *, times: bool, attempt: int | None = None) -> None:
        self.name, self.times, self.attempt = name, times, attempt
        self.mark: Mark | None = None
        self.parts: list[Followed] = []

    def look(self, run: Run) -> Followed | None:
        """Read on, and compare all that is known with the whole series."""
        try:
            # What was not refreshed may find its version gone, and move on to one with shards that it learns of next.
            run.series(self.name, attempt=self.attempt)
            series = run.series(self.name, attempt=self.attempt)
            found = run.follow(self.name, self.mark, times=self.times, attempt=self.attempt)
        except MetricNotFoundError:
            self.mark = None
            return None
        self.mark = found.mark
        self.parts = [found] if found.whole else [*self.parts, found]
        assert [step for part in self.parts for step in part.step] == series.step.tolist()
        assert np.concatenate([part.value for part in self.parts]).tobytes() == series.value.tobytes()
        times = [part.time for part in self.parts]
        if self.times:
            assert (
                np.concatenate([each for each in times if each is not None]).tobytes()
                == series.time.tobytes()
            )
        else:
            assert times == [None] * len(times)
        return found


def followers() -> list[Follower]:
    return [
        Follower("loss", times=False),
        Follower("loss", times=True),
        Follower("eval", times=False),
        Follower("loss", times=False, attempt=1),
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(happenings(LOOK))
def test_what_is_read_bit_by_bit_is_the_series_whatever_happens(history: list[Happening]) -> None:
    with TemporaryDirectory() as folder, Life(Path(folder) / "p" / "r") as life:
        # The first looks each time, the others now and then.
        watching = [followers() for _ in range(3)]
        run = open_run(life.run)
        for what, *how in history:
            if what != "look":
                life.happen(what, *how)
                continue
            which, when = how
            if when == "anew":
                run = open_run(life.run)
            elif when == "refresh":
                run.refresh()
            for follower in watching[0] + (watching[which] if which else []):
                follower.look(run)
        run.refresh()
        for follower in [one for each in watching for one in each]:
            follower.look(run)


def test_only_what_is_new_is_read_of_a_run_that_goes_on(tmp_path: Path) -> None:
    with Life(tmp_path / "p" / "r") as life:
        follower, timed = Follower("loss", times=False), Follower("loss", times=True)

        def look() -> list[tuple[bool, int]]:
            run.refresh()
            found = [follower.look(run), timed.look(run)]
            return [(one.whole, len(one.value)) for one in found if one is not None]

        life.happen("log", "loss", 50, 1)
        run = open_run(life.run)
        assert look() == [(True, 50)] * 2
        assert look() == [(False, 0)] * 2
        for what in (("flush",), ("log", "eval", 3, 1), ("flush",), ("merge",), ("writer",), ("renew",)):
            life.happen(*what)
            assert look() == [(False, 0)] * 2
            life.happen("log", "loss", 2, 1)
            assert look() == [(False, 2)] * 2
        life.happen("log", "loss", 1, -5)  # in the order of the log, whatever the step
        assert look() == [(False, 1)] * 2
        run = open_run(life.run)  # a mark is of the run, not of the object that reads it
        assert look() == [(False, 0)] * 2


def test_a_run_that_was_continued_is_followed_from_its_first_new_point_on(tmp_path: Path) -> None:
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 50, 1)
        life.happen("flush")
        run, follower = open_run(life.run), Follower("loss", times=False)

        def look() -> tuple[bool, int] | None:
            run.refresh()
            found = follower.look(run)
            return found and (found.whole, len(found.value))

        assert look() == (True, 50)
        life.happen("attempt", 20)
        assert look() == (True, 20)
        life.happen("log", "loss", 5, 1)
        assert look() == (True, 25)
        life.happen("log", "loss", 60, 1)
        assert look() == (False, 60)
        life.happen("flush")
        life.happen("log", "loss", 1, 1)
        assert look() == (False, 1)
        # At its own checkpoint it hides the point of the first attempt, which may log on, too.
        life.happen("log of an old shard", "loss", 1, 20)
        assert look() == (True, 86)
        life.happen("log of an old shard", "loss", 1, 21)
        assert look() == (False, 1)
        life.happen("log of an old shard", "loss", 0, 5)
        assert look() == (True, 88)


def test_an_attempt_before_the_first_that_logged_a_metric_may_log_it_later(tmp_path: Path) -> None:
    with Life(tmp_path / "p" / "r") as life:
        life.happen("attempt", None)
        life.happen("log", "loss", 10, 1)
        run, follower = open_run(life.run), Follower("loss", times=False)
        for step, shown in ((0, 11), (5, 11)):
            follower.look(run)
            life.happen("log of an old shard", "loss", 0, step)
            run.refresh()
            found = follower.look(run)
            assert found is not None
            assert (found.whole, len(found.value)) == (True, shown)


def test_what_another_process_of_the_attempt_logs_is_put_in_its_place(tmp_path: Path) -> None:
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 50, 1)
        run, follower = open_run(life.run), Follower("loss", times=False)
        follower.look(run)
        life.happen("child")
        for logged, expected in ((3, (True, 53)), (0, (False, 0)), (2, (True, 55))):
            life.happen("log", "loss", logged, 1)
            run.refresh()
            found = follower.look(run)
            assert found is not None
            assert (found.whole, len(found.value)) == expected


def test_a_mark_of_something_else_is_not_gone_on_from(tmp_path: Path) -> None:
    for name in ("r", "other"):
        with Life(tmp_path / "p" / name) as life:
            life.happen("log", "loss", 50, 1)
            life.happen("log", "eval", 50, 1)
            life.happen("flush")
    run, other = open_run(tmp_path / "p" / "r"), open_run(tmp_path / "p" / "other")
    mark = run.follow("loss").mark
    assert mark is not None
    assert not run.follow("loss", mark).whole
    assert run.follow("eval", mark).whole
    assert run.follow("loss", mark, attempt=1).whole
    assert other.follow("loss", mark).whole


class Overtaken(Run):
    """A run of which more is stored while it is read, and that moves on to it."""

    def by_step(self, *args: Any, **which: Any) -> ByStep:
        """Read what is there by now."""
        self.refresh()
        return super().by_step(*args, **which)


def test_what_was_read_while_the_run_moved_on_has_no_mark(tmp_path: Path) -> None:
    """Points would be missing behind a mark that is newer than they are, and come twice behind an older one."""
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 50, 1)
        run = Overtaken(life.run)
        life.happen("log", "loss", 5, 1)
        first, second = run.follow("loss"), run.follow("loss")
        assert (len(first.value), first.mark) == (55, None)
        assert second.mark is not None


def test_points_that_are_lost_are_not_kept(tmp_path: Path) -> None:
    """As when a copy of a live run is replaced by an older one."""
    with Life(tmp_path / "p" / "r") as life:
        life.happen("log", "loss", 50, 1)
        life.happen("flush")
        older = shutil.copytree(life.run, tmp_path / "older")
        life.happen("log", "loss", 5, 1)
        life.happen("flush")
        follower, run = Follower("loss", times=False), open_run(life.run)
        assert follower.look(run) is not None
        shutil.rmtree(life.run)
        shutil.copytree(older, life.run)
        found = follower.look(open_run(life.run))
        assert found is not None
        assert (found.whole, len(found.value)) == (True, 50)
