"""What a table costs training, and how quickly tables and texts are found again."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database

from kohakuboard import Board, Table
from kohakuboard.client.values import encode_rich
from kohakuboard.journal.stage import Stage
from kohakuboard.reader import open_run
from kohakuboard.storage.rich.texts import TextRow
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUNDS = 15
ROWS = 10_000
TABLES = 500
TEXTS = 1_000_000
MANY_ROWS = 1_000_000


def columns(count: int) -> dict[str, list[Any]]:
    """Return five columns: whole numbers, numbers, a class, a bool and a text."""
    draw = random.Random(0)
    return {
        "i": list(range(count)),
        "loss": [draw.random() for _ in range(count)],
        "label": [f"class {i % 10}" for i in range(count)],
        "right": [i % 2 == 0 for i in range(count)],
        "text": [f"some text of number {i}" for i in range(count)],
    }


def medians(subjects: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median time of each in ms, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, call in subjects.items():
            began = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(each) for name, each in times.items()}


@pytest.mark.parametrize("form", ["dicts", "rows", "arrays"])
def test_cost_of_a_table_of_10_000_rows(form: str, tmp_path: Path, figures: Figures) -> None:
    """From making the Table to the bytes of its record, beside writing the rows as JSON."""
    stage, made = Stage(tmp_path), columns(ROWS)
    rows = [list(row) for row in zip(*made.values(), strict=True)]
    dicts = [dict(zip(made, row, strict=True)) for row in rows]
    arrays = {name: np.array(cells) if name != "text" else cells for name, cells in made.items()}
    forms: dict[str, Callable[[], Table]] = {
        "dicts": lambda: Table(dicts),
        "rows": lambda: Table(rows, columns=list(made)),
        "arrays": lambda: Table(arrays),
    }

    def handed_over() -> None:
        encode_rich({}, [{"name": "t", "index": 0, **forms[form]().to_item(stage)}])

    found = medians({"ours": handed_over, "json": lambda: (tmp_path / "json").write_text(json.dumps(dicts))})
    name = f"a table of 10 000 rows and 5 columns, {form}, p50"
    figures.record(name, found["ours"], "ms", at_most=20)
    figures.record(name, found["ours"], "ms", against="writing it as JSON", theirs=found["json"], at_most=1.0)


@pytest.fixture
def pages(tmp_path: Path) -> Board:
    """Return a board that will have stored TABLES tables."""
    with Board(base_dir=tmp_path, capture_output=False) as board:
        for step in range(TABLES):
            board.log_table(f"t{step % 5}", columns(100), step=step)
    return board


def test_reading_one_table_of_many(pages: Board, figures: Figures) -> None:
    """Opened anew each time, as another process would."""
    steps = iter(random.Random(0).sample(range(TABLES), ROUNDS))

    def read() -> None:
        step = next(steps)
        assert len(open_run(pages.path).table(f"t{step % 5}", step).rows) == 100

    figures.record(f"reading any table of {TABLES}", medians({"read": read})["read"], "ms", at_most=50)


def test_pages_of_a_large_table(tmp_path: Path, figures: Figures) -> None:
    made = columns(MANY_ROWS)
    with Board(base_dir=tmp_path, capture_output=False) as board:
        board.log_table("t", made)
        board.finish(timeout_s=300)
    table = open_run(board.path).table("t")
    assert table.n_rows == MANY_ROWS
    found = medians(
        {
            "a page": lambda: table.page(900_000, 50),
            "a page, sorted": lambda: table.page(0, 50, sort_by="loss"),
            "a page of what is searched": lambda: table.page(0, 50, search="number 99999"),
        },
        rounds=3,
    )
    aims = {"a page": 50, "a page, sorted": 2000, "a page of what is searched": 4000}
    for name, took in found.items():
        figures.record(f"{name}, of a table of 1M rows", took, "ms", at_most=aims[name])


def test_searching_a_million_texts(tmp_path: Path, figures: Figures) -> None:
    """The rows are written as a writer does, without a journal, which is measured elsewhere."""
    with Board(base_dir=tmp_path, capture_output=False) as board:
        board.log_text("t", "the first")
    words = ["loss", "model", "the", "answer", "question", "token", "cat", "dog", "apple", "river"]
    draw = random.Random(0)
    database = Database(board.path / "run.db")
    (shard,) = database.execute("SELECT number FROM shards LIMIT 1").fetchone()
    began = time.perf_counter()
    with database.atomic():
        for i in range(TEXTS):
            place = {"shard": shard, "seq": i + 9, "step": i, "time_us": i, "name": "t", "position": 0}
            TextRow(f"{' '.join(draw.choices(words, k=10))} {i}", "plain").write(database, place)
    figures.record("storing and indexing a text", (time.perf_counter() - began) * 1e6 / TEXTS, "µs")
    database.close()
    run = open_run(board.path)
    for words_of, wanted in {
        "a rare word": "999 9",
        "a common word": "apple",
        "two characters": "zq",
    }.items():
        took = medians({"search": lambda wanted=wanted: run.search_text(wanted)}, rounds=3)["search"]  # type: ignore[misc]
        figures.record(f"searching 1M texts for {words_of}", took, "ms", at_most=1000)
