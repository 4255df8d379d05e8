"""What tests of boards share: programs that log, the runs that come of them, and an object that breaks all it can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kohakuboard import Board
from kohakuboard.reader import Run, open_run

__all__ = ["Hostile", "finished", "run_script", "steps", "the_run"]


def finished(board: Board) -> Run:
    board.finish()
    return open_run(board.path)


def steps(run: Run, name: str) -> list[int]:
    return run.series(name).step.tolist()  # type: ignore[no-any-return]


def run_script(source: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    return done


def the_run(root: Path) -> Run:
    (path,) = [path for project in root.iterdir() for path in project.iterdir()]
    return open_run(path)


class Hostile:
    def __float__(self) -> float:
        raise ZeroDivisionError("no number today")

    def __repr__(self) -> str:
        raise ValueError("no repr either")
