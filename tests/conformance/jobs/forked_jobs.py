"""Run a script of this folder as several processes that share what was imported, as imports take most of their time.

    forked_jobs.py SCRIPT COMMANDS [MODULE…]

COMMANDS is JSON: a list of [directory of the runs, arguments, step at which it is killed, or null]; the script writes
into ./progress how many steps it has logged. They run one after another, each as a program of its own would from its
first line on: what it raises ends its interpreter. MODULE is what takes long to import; transformers if none is given.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path

import kohakuboard  # noqa: F401

PROGRESS = Path("progress")
# Of transformers: its modules are imported when they are asked for.
USUAL = ("accelerate", "transformers.trainer", "transformers.models.gpt2.modeling_gpt2")


def main(script: str, commands: list[tuple[str, list[str], int | None]]) -> None:
    """Run each command in a child; return in the child, of which only the script is left to do."""
    for directory, arguments, last_step in commands:
        PROGRESS.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            os.environ["KOHAKUBOARD_DIR"] = directory
            sys.argv = [script, *arguments]
            runpy.run_path(script, run_name="__main__")
            return
        if last_step is not None:
            while steps_done() < last_step:
                if os.waitpid(child, os.WNOHANG) != (0, 0):
                    sys.exit(f"{script} ended before step {last_step}")
                time.sleep(0.01)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def steps_done() -> int:
    """Return what the script says it has logged; it may be writing it."""
    try:
        return int(PROGRESS.read_text() or 0)
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    gc.disable()  # a quarter of an import's time, in which nothing is found
    for module in sys.argv[3:] or USUAL:
        importlib.import_module(module)
    gc.freeze()  # at its end each would take apart all that was imported, which takes two seconds
    gc.enable()
    main(sys.argv[1], json.loads(sys.argv[2]))
