"""Nothing grows while a run goes on: memory, open files, files on disk, versions. The benchmark goes on for longer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard.reader import open_run
from tests.benchmarks.soak import LOOKS, Look

ROOT = Path(__file__).parents[2]
CALLS_PER_S = 2000


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(15, marks=pytest.mark.slow),
        pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_a_run_that_goes_on_takes_no_more_of_anything(tmp_path: Path, seconds: int) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.soak", str(tmp_path), str(seconds), str(CALLS_PER_S)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    looks = [Look(*json.loads(line)) for line in done.stdout.splitlines()]
    assert len(looks) == LOOKS

    series = open_run(tmp_path / "default" / "soak").series("loss")
    assert series.step.tolist() == list(range(looks[-1].calls))

    settled, last = looks[LOOKS // 2], looks[-1]
    assert last.trainer_mb < settled.trainer_mb + 15
    assert last.writer_mb < settled.writer_mb + 100
    assert last.writer_mb < 500
    assert last.trainer_files <= settled.trainer_files + 1  # a segment is opened and closed now and then
    assert last.writer_files < settled.writer_files + 20
    assert max(look.files for look in looks) < 500
    assert max(look.versions for look in looks) < 300
    assert max(look.journal_mb for look in looks) < 64
