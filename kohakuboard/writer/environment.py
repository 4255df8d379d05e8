"""Describe the machine, the program and the code of a run. Collected by the writer, so that Board() need not wait.

What is small is told by each list of runs; what is not (`packages`, `variables` and the diff in `git`) is in a table of
its own and read when somebody asks for it. Secrets are masked before anything is stored.
"""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..journal.settings import Settings
from ..masking import masked
from .gpus import gpu_names
from .repository import repository_state

__all__ = ["Environment", "Inquiry", "code", "machine_and_program"]

# What is worth knowing of the trainer's environment variables: ours, and what launchers say. Nothing else is looked at.
PREFIXES: Final = (
    "KOHAKUBOARD_", "SLURM_", "TORCHELASTIC_", "OMPI_COMM_WORLD_", "PMI_", "NCCL_", "CUDA_VISIBLE", "ACCELERATE_",
)  # fmt: skip
NAMES: Final = frozenset(
    ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "NODE_RANK",
     "ROLE_RANK", "ROLE_NAME", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS", "CONDA_DEFAULT_ENV",
     "VIRTUAL_ENV")
)  # fmt: skip
LONGEST_VARIABLE: Final = 4096


class Environment(NamedTuple):
    """Hold what was found of what was looked for: `small` for each list of runs, `large` for who asks."""

    names: tuple[str, ...]
    small: dict[str, Any]
    large: dict[str, Any]


class Inquiry:
    """Collect the environment of a trainer in a thread: git in a large repository takes its time.

    Args:
        process: What is known of the trainer: cwd, argv, executable, and the pid if it lives.
        own: Whether this writer was started by that trainer, and has its environment variables.
        git: Whether git is asked, too.
    """

    def __init__(self, process: Mapping[str, Any], *, own: bool, git: bool) -> None:
        self._found: deque[Environment] = deque()
        self._process, self._own, self._git = process, own, git
        self._thread = threading.Thread(target=self._collect, name="environment", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Tell whether all was collected, and handed out."""
        return not self._thread.is_alive() and not self._found

    def results(self, timeout_s: float = 0.0) -> list[Environment]:
        """Return what was found since the last call, waiting up to `timeout_s` for the rest."""
        self._thread.join(timeout_s)
        return [self._found.popleft() for _ in range(len(self._found))]

    def _collect(self) -> None:
        self._found.append(machine_and_program(self._process, own=self._own))
        if self._git:
            self._found.append(code(Path(self._process.get("cwd") or "/")))


def machine_and_program(process: Mapping[str, Any], *, own: bool) -> Environment:
    """Return names and plain values; what cannot be found out is left out."""
    argv = [str(argument) for argument in process.get("argv") or []]
    found = {
        "command": shlex.join([Path(str(process.get("executable") or "python")).name, *argv]),
        "script": _script(Path(process.get("cwd") or "/"), argv),
        "host": platform.node(),
        "user": _user(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "gpus": gpu_names(),
    }
    known = {key: value for key, value in found.items() if value not in (None, [])}
    large = {
        "packages": _packages(sys.path),
        "variables": masked(_telling(_variables(process.get("pid"), own=own))),
    }
    return Environment((*found, *large), known, large)


def code(directory: Path) -> Environment:
    """Return what git knows of the code in a directory, as `git`; its diff is large."""
    state = repository_state(directory)
    diff = state.pop("diff", None)
    return Environment(("git",), {"git": state} if state else {}, {"git": {"diff": diff}} if diff else {})


def _script(directory: Path, argv: list[str]) -> str | None:
    """Return the path of the program; none where it was typed in."""
    path = directory / argv[0] if argv and argv[0] not in ("", "-c", "-m") else None
    return str(path) if path is not None and path.exists() else None


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a container may run as a number that has no name


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _packages(path: Iterable[str]) -> dict[str, str]:
    """Return the versions of what is installed, by the names of its metadata: reading them all would take 0.2 s."""
    found: dict[str, str] = {}
    for directory in path:
        try:
            names = [entry.name for entry in os.scandir(directory or ".")]
        except OSError:
            continue  # a zip file, or nothing at all
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                project, _, version = name.rpartition(".")[0].partition("-")
                found.setdefault(project.replace("_", "-").lower(), version.partition("-")[0])
    return dict(sorted(found.items()))


def _variables(pid: Any, *, own: bool) -> dict[str, str]:
    """Return the trainer's environment variables, without those that its board set for the writer."""
    try:
        data = Path(f"/proc/{int(pid)}/environ").read_bytes()
    except (OSError, TypeError, ValueError):
        data = b""
    given = dict(pair.partition("=")[::2] for pair in data.decode("utf-8", "replace").split("\0") if pair)
    # What the program itself has set since is in no file, but its writer has inherited it.
    inherited = (
        {key: value for key, value in os.environ.items() if key not in _SET_BY_THE_BOARD} if own else {}
    )
    return {**given, **inherited}


def _telling(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: variables[name][:LONGEST_VARIABLE]
        for name in sorted(variables)
        if name.startswith(PREFIXES) or name in NAMES
    }


_SET_BY_THE_BOARD: Final = {"OMP_NUM_THREADS", *Settings(None, 0.0).environment()}
