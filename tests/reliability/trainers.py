"""Programs that log while something happens to the disk under them, run as processes of their own.

A program sees `root`, `board` and the functions below, and ends with `report(...)`, whose JSON the test gets.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Training", "train"]

PRELUDE = """
import json, os, shutil, signal, sys, time
from pathlib import Path
from kohakuboard import Board, Media
root = Path(sys.argv[1])
filler, logged, slowest = root / "filler", 0, 0.0

def fill(leave=0):
    with open(filler, "ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(file.tell() - leave, 0))

def burst(n):
    global logged, slowest
    for _ in range(n):
        start = time.perf_counter()
        board.log({"a": float(logged), "b": -float(logged)}, step=logged)
        slowest = max(slowest, time.perf_counter() - start)
        logged += 1

def until(condition, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.02)

def stored():
    log = board.path / "run.db"
    import sqlite3
    try:
        with sqlite3.connect(f"file:{log}?mode=ro", uri=True) as connection:
            return (connection.execute("SELECT sum(count) FROM metrics WHERE name = 'a'").fetchone()[0] or 0)
    except sqlite3.Error:
        return 0

def report(**found):
    print(json.dumps({"logged": logged, "path": str(board.path), **found}))
"""


@dataclass(frozen=True, slots=True)
class Training:
    """What a program reported, and what its user read on stderr."""

    report: dict[str, Any]
    warnings: list[str]

    @property
    def path(self) -> Path:
        """Return the path of its run."""
        return Path(self.report["path"])


def train(root: Path, program: str, *, board: str = "", before: str = "", timeout_s: float = 110) -> Training:
    """Run a program to its end, which must be a good one; `board` are more arguments, `before` goes before it."""
    source = f"{PRELUDE}\n{before}\nboard = Board(base_dir=root, capture_output=False{board})\n{program}"
    done = subprocess.run(
        [sys.executable, "-c", source, str(root)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    warnings = [line for line in done.stderr.splitlines() if not line.startswith("kohakuboard: ")]
    return Training(json.loads(done.stdout.splitlines()[-1]), warnings)
