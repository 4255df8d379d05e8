"""What a logger adds to a step of Lightning and of transformers: ours beside those that the frameworks bring.

A step of a model of five weights that logs at each step. TensorBoard's need `scripts/bench --peers`, and then all of
them run in that environment, in one training. What is timed, and how: adapters/turns.py.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.figures import Figures

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
STEPS = 2000
AIM = 0.5  # of the cheapest peer's
KINDS = {"calls": "CPU time in the logger", "thread": "CPU time of training", "wall": "by the clock"}


def added(python: str, framework: str, directory: Path, *loggers: str) -> dict[str, dict[str, float]]:
    """Return what each logger adds to a step, of each of KINDS, in µs."""
    command = [python, "-m", f"tests.benchmarks.adapters.{framework}", directory, STEPS, *loggers]
    paths = [ROOT, ROOT / "integrations"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("framework", "peers"),
    [
        ("lightning", {"csv": "CSVLogger", "tensorboard": "TensorBoardLogger"}),
        ("transformers", {"tensorboard": "TensorBoardCallback"}),
    ],
)
def test_what_a_logger_adds_to_a_step(
    framework: str, peers: dict[str, str], tmp_path: Path, figures: Figures, request: pytest.FixtureRequest
) -> None:
    python = request.config.getoption("--peers", default=None)
    timed = [peer for peer in peers if python is not None or peer != "tensorboard"]
    found = added(python or sys.executable, framework, tmp_path, "kohakuboard", *timed)
    for kind, title in KINDS.items():
        if found["none"][kind]:
            figures.record(f"{framework}: a step without a logger, {title}", found["none"][kind], "µs")
        name, ours = f"{framework}: added to a step, {title}", found["kohakuboard"][kind]
        for peer in timed:
            figures.record(name, ours, "µs", against=peers[peer], theirs=found[peer][kind], at_most=AIM)
        for peer in set(peers) - set(timed):
            figures.skip(name, against=peers[peer], reason="scripts/bench --peers installs it")


def test_what_the_hook_adds_to_the_start_of_python(tmp_path: Path, figures: Figures) -> None:
    """Two environments that differ in the three files of the hook alone, their bytecode kept."""
    pythons = []
    for kind in ("bare", "hooked"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / kind], check=True)
        pythons.append(tmp_path / kind / "bin" / "python")
    (packages,) = (tmp_path / "hooked" / "lib").glob("python*/site-packages")
    for file in ("_kohakuboard_hook.py", "kohakuboard_autoload.pth", "kohakuboard_autoload.start"):
        (packages / file).write_bytes((ROOT / "integrations" / file).read_bytes())
    not_passed_on = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if key not in not_passed_on}

    def start(python: Path) -> tuple[float, float]:
        """Return how long it took by the clock and of CPU time, in s."""
        used, began = children_cpu_s(), time.perf_counter()
        subprocess.run([python, "-c", "pass"], env=environment, check=True)
        return time.perf_counter() - began, children_cpu_s() - used

    for python in pythons * 2:
        start(python)
    rounds = [(start(pythons[0]), start(pythons[1])) for _ in range(300)]
    for clock, name in enumerate(("the hook, at each start of Python", "- CPU time of it")):
        more = statistics.median(hooked[clock] - bare[clock] for bare, hooked in rounds) * 1000
        figures.record(name, more, "ms", at_most=0.5)


def children_cpu_s() -> float:
    """Return the CPU time of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
