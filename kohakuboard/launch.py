"""Start a program in which report_to="kohakuboard" and its like are known: `kobo run train.py --lr 1e-3`.

For environments whose .pth files Python does not run, such as `pip install --target`: the program, and whatever Python
it starts, finds `bootstrap/sitecustomize.py` first on its PYTHONPATH.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["command_line", "environment"]

BOOTSTRAP = Path(__file__).parent / "bootstrap"


def command_line(arguments: Sequence[str]) -> list[str]:
    """Return what to execute: Python for a script or for its own options, else the command as it is."""
    first = arguments[0]
    if first.startswith("-") or first.endswith(".py"):
        return [sys.executable, *arguments]
    return list(arguments)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the program."""
    # Where this installation lies: it need not be on the path of every Python that the program starts.
    homes = [str(Path(__file__).parents[1])]
    hook = importlib.util.find_spec("_kohakuboard_hook")
    if hook is not None and hook.origin is not None:
        homes.append(os.path.dirname(hook.origin))
    known = variables.get("PYTHONPATH")
    path = list(dict.fromkeys([str(BOOTSTRAP), *([known] if known else []), *homes]))
    return {**variables, "PYTHONPATH": os.pathsep.join(path)}
