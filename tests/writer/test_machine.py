from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from kohakuboard.writer.machine import Machine
from tests.reliability.processes import wait_for

WORK = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_the_first_sample_has_no_rates_and_the_next_ones_do(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.sample({os.getpid()})
    time.sleep(0.05)
    second = machine.sample({os.getpid()})
    assert first.keys() <= second.keys()
    assert {"cpu", "process/cpu"} == {"cpu", "process/cpu"} & second.keys() - first.keys()
    assert 0 < second["memory"] < 100
    assert 0 < second["disk"] <= 100
    assert second["process/memory_mib"] > 10
    assert all(type(value) is float and value >= 0 for value in second.values())


def test_the_time_of_a_child_counts_while_it_works_and_when_it_has_ended(tmp_path: Path) -> None:
    """What a child used was lost with it, when only the processes of the moment were added up."""
    source = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {WORK!r}])\n"
        "print('done', flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as trainer:
        machine = Machine(tmp_path)
        machine.sample({trainer.pid})
        began = time.monotonic()
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == "done\n"
        sample = machine.sample({trainer.pid})
        elapsed_s = time.monotonic() - began
        trainer.kill()
    assert sample["process/cpu"] * elapsed_s / 100 >= 0.25


def test_processes_are_found_with_their_children_and_without_background_writers(tmp_path: Path) -> None:
    writer = tmp_path / "kohakuboard" / "writer.py"
    writer.parent.mkdir()
    writer.write_text("import time; time.sleep(60)")
    source = (
        "import subprocess, sys, time\n"
        "children = [subprocess.Popen([sys.executable, *a]) for a in (['-c', 'import time; time.sleep(60)'],\n"
        "            ['-m', 'kohakuboard.writer'])]\n"
        "print('ready', flush=True)\nsys.stdin.read()\n[child.kill() for child in children]\n"
    )
    command = [sys.executable, "-c", source]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    ) as trainer:  # fmt: skip
        assert trainer.stdout is not None
        trainer.stdout.readline()
        # Each child is at first what it was forked from.
        wait_for(lambda: Machine(tmp_path).sample({trainer.pid})["process/count"] == 2)


def test_processes_that_are_gone_and_a_directory_that_is_gone_are_left_out(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    sample = Machine(tmp_path / "none").sample({gone.pid})
    assert "disk" not in sample
    assert not {name for name in sample if name.startswith("process/")}
    assert "memory" in sample
