"""Run a script of this folder as several processes that share what was imported, as imports take most of their time.

    forked_jobs.py SCRIPT COMMANDS

COMMANDS is JSON: a list of [directory of the runs, arguments, seconds after which it is killed, or null]; the seconds
count from when there is a checkpoint in ./out. They run one after another, each as a program of its own would from its
first line on: what it raises ends its interpreter.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path

import accelerate  # type: ignore[import-untyped]  # noqa: F401
import transformers

import kohakuboard  # noqa: F401


def main(script: str, commands: list[tuple[str, list[str], float | None]]) -> None:
    """Run each command in a child; return in the child, of which only the script is left to do."""
    _ = transformers.Trainer, transformers.GPT2LMHeadModel  # its modules are imported when they are asked for
    for directory, arguments, killed_after_s in commands:
        child = os.fork()
        if child == 0:
            os.environ["KOHAKUBOARD_DIR"] = directory
            sys.argv = [script, *arguments]
            runpy.run_path(script, run_name="__main__")
            return
        if killed_after_s is not None:
            while not list(Path("out").glob("checkpoint-*/trainer_state.json")):
                time.sleep(0.02)
            time.sleep(killed_after_s)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
