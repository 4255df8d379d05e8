"""What the tabs of a run's page cost the server, of a run that has much of everything, beside an empty one's tab."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Histogram, KernelDensity, Media, Table, Tensor, Text
from kohakuboard.journal.console import encode_line
from kohakuboard_viewer.app import create_app
from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

STEPS, ROWS, CONSOLE_BYTES = 10_000, 1_000_000, 100_000_000
VISITS = 5
# What is looked at of each kind; the first visit is not counted.
PAGES = (
    ("overview, 1 000 metrics, config of 3 000 values", ""),
    ("media, 10 000 steps of an image", "media?step=5000"),
    ("histograms, 10 000 steps as map", "histograms?step=3000"),
    ("histograms, 10 000 steps as surface", "histograms?view=surface"),
    ("densities, 500 steps", "densities?step=300"),
    ("tensor in slices", "tensors?name=tensor"),
    ("table of 1 M rows", "tables?name=rows&page=19000"),
    ("table of 1 M rows, searched before", "tables?name=rows&q=word 996"),
    ("500 tables joined and sorted before", "tables?name=small&step=all&sort=a&desc=1"),
    ("texts, 500 steps", "text?step=300"),
    ("console of 100 MB", "console"),
    ("console of 100 MB, searched before", "console?q=nothing like it"),
)


def log_much(board: Board) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(STEPS, 256)).astype(np.float32)
    images = random.integers(0, 255, (STEPS, 24, 24, 3), dtype=np.uint8)
    for step in range(STEPS):
        board.log(
            {"weights": Histogram(values[step] + step / 5000), "image": Media(images[step])},
            step=step,
        )
    words = [f"word {i % 997}" for i in range(ROWS)]
    board.log({"rows": Table({"x": random.normal(size=ROWS), "word": words})}, step=STEPS)
    board.log({f"m/{i}": float(i) for i in range(1000)}, step=STEPS)
    for step in range(500):
        rich = {"density": KernelDensity(values[step]), "tensor": Tensor(values[:64])}
        table = Table([{"a": step, "b": i} for i in range(20)])
        board.log({**rich, "small": table, "note": Text(f"# Step {step}", "markdown")}, step=step)


def cpu_ms(client: TestClient, url: str) -> float:
    """Return how long the processor works on an answer, at best of some; others on the machine do not count."""
    found = []
    for _ in range(VISITS + 1):
        began = time.process_time()
        assert client.get(url).status_code == 200
        found.append((time.process_time() - began) * 1000)
    return min(found[1:])


def test_tabs_of_a_huge_run(tmp_path: Path, figures: Figures) -> None:
    config = {f"group{i}": {f"key{j}": j for j in range(50)} for i in range(60)}
    with Board("huge", base_dir=tmp_path, run_id="huge", capture_output=False, config=config) as board:
        log_much(board)
    Board("empty", base_dir=tmp_path, run_id="empty", capture_output=False).finish()
    line = encode_line(
        1_790_000_000_000_000, b"1", b"\x1b[32mepoch\x1b[0m 12 loss 0.1234 and some more words"
    )
    (board.path / "console.log").write_bytes(line * (CONSOLE_BYTES // len(line)))
    with TestClient(create_app(tmp_path)) as client:
        empty = cpu_ms(client, "/run/default/empty/alerts")
        for name, page in PAGES:
            took = cpu_ms(client, f"/run/default/huge/{page}")
            figures.record(f"page: {name}", took, "ms", at_most=100)
        figures.record("page: an empty tab of an empty run", empty, "ms")
