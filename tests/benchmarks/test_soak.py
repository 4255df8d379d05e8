"""Whether anything grows, or slows down, while a run goes on for long. `--minutes 30` is the full length."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kohakuboard.reader import open_run
from tests.benchmarks.figures import Figures
from tests.benchmarks.soak import LOOKS, Look

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(0),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]

MINUTES = 1.0
CALLS_PER_S = 2000


def soak(directory: Path, seconds: float) -> list[Look]:
    command = [sys.executable, "-m", "tests.benchmarks.soak", str(directory), str(seconds), str(CALLS_PER_S)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return [Look(*json.loads(line)) for line in done.stdout.splitlines()]


def middle(looks: Sequence[Look], field: str) -> float:
    return float(statistics.median(getattr(look, field) for look in looks))


def test_soak(tmp_path: Path, figures: Figures, request: pytest.FixtureRequest) -> None:
    minutes: float = request.config.getoption("--minutes", default=None) or MINUTES
    looks = soak(tmp_path, minutes * 60)
    run = open_run(tmp_path / "default" / "soak")
    assert len(run.series("loss").value) == looks[-1].calls
    # The first tenth is left out: caches fill, and the first merges are still to come.
    part = LOOKS // 10
    first, last = looks[part : 2 * part], looks[-part:]
    against = f"after {2 * minutes / 10:.2g} min"
    for name, field, unit, at_most in (
        ("p50 of a call", "p50", "µs", 1.1),
        ("p99 of a call", "p99", "µs", 1.5),
        ("memory of the trainer", "trainer_mb", "MB", 1.1),
        ("memory of the writer", "writer_mb", "MB", 1.1),
        ("open files of the trainer", "trainer_files", "", 1.0),
        ("open files of the writer", "writer_files", "", 1.1),
        ("journal not stored yet", "journal_mb", "MB", None),
    ):
        figures.record(
            f"soak of {minutes:g} min: {name}",
            middle(last, field),
            unit,
            against=against,
            theirs=middle(first, field),
            at_most=at_most,
        )
    figures.record(f"soak of {minutes:g} min: most files", max(look.files for look in looks), at_most=1000)
    figures.record(
        f"soak of {minutes:g} min: most versions", max(look.versions for look in looks), at_most=500
    )
    figures.record(f"soak of {minutes:g} min: calls logged and read", looks[-1].calls)
