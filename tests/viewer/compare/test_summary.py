from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard import Board
from kohakuboard_viewer.compare.summary import direction_of

from .conftest import compare, logs, row_of

WriteRun = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val/loss", "lower"),
        ("eval/perplexity", "lower"),
        ("word_error_rate", "lower"),
        ("test-ppl", "lower"),
        ("wer", "lower"),
        ("power", "higher"),
        ("val/accuracy", "higher"),
        ("train/lr", "neither"),
        ("epoch", "neither"),
        ("time/step", "neither"),
        ("runtime_score", "higher"),
    ],
)
def test_the_name_of_a_metric_tells_which_way_is_better(name: str, direction: str) -> None:
    assert direction_of(name) == direction


def best_of(page: str, metric: str) -> list[str]:
    return re.findall(r'<td class="n best">([^<]+)', row_of(page, metric))


def test_the_best_of_each_row_is_marked_and_the_page_says_how_it_is_told(
    client: TestClient, write_run: WriteRun
) -> None:
    runs = [
        write_run("one", logs(**{"val/loss": 4.0, "acc": 1.0, "lr": 1.0, "same": 1.0})),
        write_run("two", logs(**{"val/loss": 2.0, "acc": 0.5, "lr": 2.0, "same": 1.0})),
    ]
    page = client.get(compare(*runs)).text
    assert best_of(page, "val/loss") == ["1", "1", "2"]  # last, min, max
    assert best_of(page, "acc") == ["0.5", "0.5", "1"]
    assert best_of(page, "lr") == []
    assert best_of(page, "same") == []
    assert "The best of each row is marked" in page


def test_the_direction_of_a_metric_is_turned_in_the_url(client: TestClient, write_run: WriteRun) -> None:
    runs = [write_run("one", logs(acc=4.0)), write_run("two", logs(acc=2.0))]
    assert best_of(client.get(compare(*runs, show="last")).text, "acc") == ["2"]
    turned = client.get(compare(*runs, show="last", lower="acc")).text
    assert best_of(turned, "acc") == ["1"]
    # What was said last counts: a form hands on what was said before, and the button that was pressed.
    address = compare(*runs, show="last", lower="acc") + "&neither=acc"
    assert best_of(client.get(address).text, "acc") == []


def test_what_is_not_a_number_is_never_the_best(client: TestClient, write_run: WriteRun) -> None:
    def diverge(board: Board) -> None:
        board.log(loss=math.nan)

    runs = [
        write_run("nan", diverge),
        write_run("one", logs(loss=2.0)),
        write_run("none"),
        write_run("two", logs(loss=4.0)),
    ]
    page = client.get(compare(*runs, show="last")).text
    assert best_of(page, "loss") == ["1"]
    assert re.findall(r'<td class="n(?: best)?">([^<]+)', row_of(page, "loss")) == ["NaN", "1", "–", "2"]


def test_numbers_that_were_set_by_hand_are_compared_too(client: TestClient, write_run: WriteRun) -> None:
    def score(value: float) -> Callable[[Board], None]:
        def log(board: Board) -> None:
            board.summary["score"] = value
            board.summary["note"] = "not a number"

        return log

    page = client.get(compare(write_run("one", score(1.0)), write_run("two", score(3.0)))).text
    assert best_of(page, "score") == ["3"]
    assert not row_of(page, "note")


def test_many_metrics_come_in_pages(client: TestClient, write_run: WriteRun) -> None:
    values = {f"m{number:03d}": float(number) for number in range(120)}
    runs = [write_run("one", logs(**values)), write_run("two", logs(**values))]
    first = client.get(compare(*runs)).text
    assert "m049" in first
    assert "m050" not in first
    assert "m119" in client.get(compare(*runs, page=99)).text
