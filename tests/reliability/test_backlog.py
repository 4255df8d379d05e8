"""The writer cannot keep up: it is stopped, and the journal grows to its limit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.errors import SettingError
from kohakuboard.reader import open_run

from .trainers import train

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")

LIMIT = 12 << 20

STOPPED = """
def journal_bytes():
    return sum(path.stat().st_size for path in board.path.glob("journal/*/*"))

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

until((board.path / "run.db").exists)
writer = board._supervisor.writer_pid
os.kill(writer, signal.SIGSTOP)
"""


def test_a_journal_grows_to_its_limit_and_what_is_dropped_then_is_counted(tmp_path: Path) -> None:
    training = train(
        tmp_path,
        STOPPED
        + """
burst(1000)
before = resident_bytes()
burst(250_000)
grown, kept = resident_bytes() - before, journal_bytes()
os.kill(writer, signal.SIGCONT)
time.sleep(1.1)
until(lambda: journal_bytes() <= 6 << 20)
time.sleep(1.1)
burst(1000)
board.finish()
report(grown=grown, kept=kept, slowest=slowest)
""",
        board=f", journal_limit_bytes={LIMIT}",
    )
    run = open_run(training.path)
    steps = run.series("a").step.tolist()
    assert steps == sorted(set(steps))
    assert steps[-1] == 251_999
    dropped = [int(re.match(r"(\d+) calls dropped between steps", text)[1]) for text in run.problems]  # type: ignore[index]
    assert len(steps) + sum(dropped) == 252_000
    assert sum(dropped) > 50_000
    assert "its writer has not stored the 9 MB that it holds, and the limit is 13 MB" in run.problems[0]
    assert training.report["kept"] <= LIMIT
    assert training.report["grown"] < 8 << 20
    assert sum("cannot grow" in warning for warning in training.warnings) == 1
    assert f"{sum(dropped)} calls of" in training.warnings[-1]
    command = [sys.executable, "-m", "kohakuboard", "show", str(run.path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(problem in shown for problem in run.problems)


def test_staged_files_count_and_room_comes_back_with_the_writer(tmp_path: Path) -> None:
    training = train(
        tmp_path,
        STOPPED
        + """
import numpy as np
pixels = np.zeros((1000, 1000), dtype=np.uint8)
for step in range(40):
    board.log({"a": 1.0, "picture": Media(pixels)}, step=step)
kept = journal_bytes()
os.kill(writer, signal.SIGCONT)
time.sleep(1.1)
until(lambda: journal_bytes() <= 6 << 20)
board.log({"a": 1.0, "picture": Media(pixels)}, step=40)
board.finish()
report(kept=kept)
""",
        board=f", journal_limit_bytes={LIMIT}",
    )
    run = open_run(training.path)
    assert training.report["kept"] <= LIMIT
    assert run.series("a").step.tolist() == list(range(41))
    found = [entry.step for entry in run.media("picture")]
    assert found == [*range(len(found) - 1), 40]
    (problem,) = run.problems
    assert problem.startswith(
        f"{41 - len(found)} large values dropped between steps {len(found) - 1} and 39:"
    )


@pytest.mark.parametrize("value", [0, -1, 8 << 10, True, 1e9, "4GiB"])
def test_a_limit_that_is_none_is_an_error_that_names_it_and_the_cure(tmp_path: Path, value: object) -> None:
    with pytest.raises(
        SettingError, match=r"journal_limit_bytes cannot be .*; set it to a whole number of bytes, 8388608"
    ):
        Board(base_dir=tmp_path, journal_limit_bytes=value)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


LARGE = """
{fill}
pid = board._supervisor.writer_pid
os.kill(pid, signal.SIGCONT)
board.log(a=0.0, step=10**9)
fields = dict.fromkeys(("VmHWM", "RssAnon", "RssFile"), 0)
def look():
    try:
        status = Path(f"/proc/{{pid}}/status").read_text()
        for name, highest in fields.items():
            fields[name] = max(highest, int(status.split(f"{{name}}:")[1].split()[0]) * 1024)
    except (OSError, IndexError):
        pass  # it has ended
import threading
done = threading.Event()
def watch():
    while not done.wait(0.02):
        look()
watcher = threading.Thread(target=watch)
watcher.start()
board.finish(timeout_s=90)
done.set()
watcher.join()
report(own=max(fields["RssAnon"], fields["VmHWM"] - fields["RssFile"]))
"""


@pytest.mark.parametrize(
    ("n_bytes", "names", "bound"),
    [
        (24 << 20, 2, 130e6),
        pytest.param(300 << 20, 2, 140e6, marks=pytest.mark.long),
        pytest.param(300 << 20, 50, 170e6, marks=pytest.mark.long),
    ],
)
def test_the_writers_memory_is_bounded_whatever_the_backlog(
    tmp_path: Path, n_bytes: int, names: int, bound: float
) -> None:
    """Its own memory: of the files of its libraries more is mapped where they were only just installed."""
    fill = f"""
row = {{f"m{{i}}": float(i) for i in range({names})}}
while journal_bytes() < {n_bytes}:
    for _ in range(5000):
        row["m0"] = float(logged)
        board.log(row, step=logged)
        logged += 1
"""
    training = train(tmp_path, STOPPED + LARGE.format(fill=fill))
    print(training.report["own"])
    assert training.report["own"] < bound
    assert len(open_run(training.path).series("m0").step) == training.report["logged"]
    assert os.listdir(training.path).count("journal") == 0
