"""What the pages that compare runs cost the server, of 2, 20 and 100 runs with 20 metrics and 25 settings each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kohakuboard_viewer.app import create_app
from tests.benchmarks.figures import Figures
from tests.benchmarks.test_run_page import cpu_ms
from tests.benchmarks.test_viewer_runs import PROJECTS, copies, template

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

COMPARED = (2, 20, 100)
TABS = ("", "charts", "relations")


def test_pages_that_compare_runs(tmp_path: Path, figures: Figures) -> None:
    root = tmp_path / "runs"
    copies(template(tmp_path / "template"), root, max(COMPARED))
    time.sleep(4)  # what changed a moment ago is looked at closely
    runs = [f"run=project-{i % PROJECTS}/run-{i:05d}" for i in range(max(COMPARED))]
    with TestClient(create_app(root)) as client:
        for tab in TABS:
            for number in COMPARED:
                took = cpu_ms(client, f"/compare{'/' if tab else ''}{tab}?{'&'.join(runs[:number])}")
                figures.record(f"compare {number} runs: {tab or 'overview'}", took, "ms", at_most=150)
