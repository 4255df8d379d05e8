"""What the tests of all three adapters need: a root for runs, and jobs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kohakuboard.reader import Run, Workspace

JOBS = Path(__file__).parent / "jobs"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of runs, which is also the default one; it does not exist yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def only_run(root: Path) -> Callable[[], Run]:
    """Return what reads the only run there is."""

    def read() -> Run:
        (run,) = Workspace(root).runs()
        return run

    return read


@pytest.fixture
def start_job(root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return what starts a script of jobs/, maybe through a launcher; all that it prints is one stream."""
    jobs: list[subprocess.Popen[str]] = []

    def start(script: str, *args: object, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        paths = [REPOSITORY, REPOSITORY / "integrations"]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }
        job = subprocess.Popen(
            [sys.executable, *launcher, str(JOBS / script), *map(str, args)],
            cwd=root.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        jobs.append(job)
        return job

    yield start
    for job in jobs:
        job.kill()
        job.communicate()


@pytest.fixture
def surroundings(root: Path) -> Callable[[], tuple[object, ...]]:
    """Return what takes down all that a constructor could have changed: files, threads, environment."""

    def look() -> tuple[object, ...]:
        return sorted(root.parent.rglob("*")), set(threading.enumerate()), dict(os.environ)

    return look
