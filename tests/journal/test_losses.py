from __future__ import annotations

import threading

import pytest

from kohakuboard.journal.losses import Losses, loss_text


def test_calls_and_values_are_told_with_the_steps_between_which_they_were_lost() -> None:
    losses = Losses()
    assert not losses
    assert losses.take() is None
    for step in (7, 3, 5):
        losses.add(step, "full", calls=1)
    losses.add(9, "still full", values=2)
    event = losses.take()
    assert event is not None
    assert loss_text(event) == "3 calls and 2 large values dropped between steps 3 and 9: still full"
    assert not losses
    assert (losses.total_calls, losses.total_values) == (3, 2)


def test_what_could_not_be_noted_is_counted_with_what_comes_later() -> None:
    losses = Losses()
    losses.add(4, "full", calls=1)
    event = losses.take()
    assert event is not None
    losses.add(8, "full", calls=1)
    losses.put_back(event)
    assert loss_text(losses.take() or {}) == "2 calls dropped between steps 4 and 8: full"
    assert losses.total_calls == 2


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"calls": 1, "first_step": 2, "last_step": 2, "reason": "r"}, "1 call dropped at step 2: r"),
        ({}, "nothing dropped at step None: None"),
    ],
)
def test_any_event_has_words(event: dict[str, object], text: str) -> None:
    assert loss_text(event) == text


def test_no_count_is_lost_between_threads() -> None:
    losses = Losses()
    seen: list[int] = []

    def lose() -> None:
        for step in range(2000):
            losses.add(step, "full", calls=1)
            if step % 100 == 0 and (event := losses.take()):
                seen.append(event["calls"])

    threads = [threading.Thread(target=lose) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rest = losses.take()
    assert sum(seen) + (rest["calls"] if rest else 0) == losses.total_calls == 16_000
