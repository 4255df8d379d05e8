"""Describe the machine and the code that a run ran on. Collected by the writer, so that Board() need not wait."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

__all__ = ["collect_environment"]

GIT_TIMEOUT_S: Final = 2.0


def collect_environment(directory: Path) -> dict[str, Any]:
    """Return names and plain values, for a trainer started in a directory; what cannot be found out is left out."""
    found = {
        "host": platform.node(),
        "user": _user(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpu_count": os.cpu_count(),
        **_git_state(directory),
    }
    return {key: value for key, value in found.items() if value is not None}


def _git_state(directory: Path) -> dict[str, Any]:
    """Return commit and branch of the repository around a directory, and whether it has changes; empty outside one."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return {
        "git_commit": commit,
        "git_branch": _git(directory, "rev-parse", "--abbrev-ref", "HEAD"),
        "git_changed": bool(changes),
    }


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a container may run as a number that has no name


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
