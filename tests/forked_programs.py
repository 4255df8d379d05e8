"""Run Python programs as `python -c` would, in processes that share what was imported: imports take most of their time.

    forked_programs.py MODULE… <PROGRAMS

MODULE is what takes long to import. PROGRAMS is JSON: a list of [what it is called, directory to run it in, source].
They run one after another, each in a fork that ends as an interpreter does. After the first that fails no other is run,
and the exit status is 1.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from types import ModuleType


def main(programs: list[tuple[str, str, str]]) -> None:
    """Run each program in a child; return in the child, when its program is over."""
    for name, directory, source in programs:
        child = os.fork()
        if child == 0:
            os.chdir(directory)
            sys.argv, sys.path[0] = ["-c"], ""
            module = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(source, "<string>", "exec"), vars(module))
            return
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            sys.exit(f"{name} ended with {status}:\n{source}")


if __name__ == "__main__":
    told = json.load(sys.stdin)
    gc.disable()  # a quarter of an import's time, in which nothing is found
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.freeze()  # at its end each would take apart all that was imported, which takes two seconds
    gc.enable()
    main(told)
