"""Find out what works here: frameworks, the autoload hook, and where runs will lie. For `kobo doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Finding", "examine"]

# What proves that a framework knows us, in an interpreter that starts as the user's do.
_PROOFS: Final = {
    "transformers": (
        "from transformers.integrations import get_reporting_integration_callbacks as find; find(['kohakuboard'])",
        'report_to="kohakuboard"',
    ),
    "accelerate": (
        "from accelerate import Accelerator; Accelerator(cpu=True, log_with='kohakuboard')",
        'Accelerator(log_with="kohakuboard")',
    ),
    "lightning": (
        "from kohakuboard.lightning import KohakuBoardLogger",
        "Trainer(logger=KohakuBoardLogger())",
    ),
}
_PROOF_TIMEOUT_S: Final = 120


class Finding(NamedTuple):
    """Say one thing that was looked at: whether it is well (None: neither well nor wrong), and in which words."""

    ok: bool | None
    subject: str
    text: str


def examine(root: Path) -> Iterator[Finding]:
    """Yield what is found, the quick things first."""
    yield Finding(True, "kohakuboard", f"{_version('kohakuboard')} on Python {platform.python_version()}")
    yield _hook()
    yield _root(root)
    for framework, (program, use) in _PROOFS.items():
        if importlib.util.find_spec(framework) is None:
            yield Finding(None, framework, "is not installed")
        else:
            yield _proved(framework, program, use)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed as a package)"


def _hook() -> Finding:
    switched = os.environ.get("KOHAKUBOARD_AUTOLOAD", "")
    if switched.lower() in ("0", "off", "false", "no"):
        return Finding(None, "autoload", f"is switched off: KOHAKUBOARD_AUTOLOAD={switched}")
    if _run("import sys, _kohakuboard_hook as hook; sys.exit(not hook.is_installed())").returncode == 0:
        return Finding(True, "autoload", "scripts need not import kohakuboard")
    return Finding(
        False,
        "autoload",
        "this Python runs no kohakuboard_autoload.pth: write `import kohakuboard` in scripts, or start them with "
        "`kobo run`",
    )


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=_PROOF_TIMEOUT_S
    )


def _root(root: Path) -> Finding:
    place = root.expanduser().absolute()
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        return Finding(False, "runs", f"cannot be written to {str(place)!r}; set KOHAKUBOARD_DIR")
    free_gb = shutil.disk_usage(existing).free / 1e9
    return Finding(True, "runs", f"go to {str(place)!r} ({free_gb:.1f} GB free)")


def _proved(framework: str, program: str, use: str) -> Finding:
    version = _version(framework)
    try:
        done = _run(program)
    except subprocess.TimeoutExpired:
        return Finding(False, framework, f"{version}: does not import within {_PROOF_TIMEOUT_S} s")
    if done.returncode == 0:
        return Finding(True, framework, f"{version}: {use} works")
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Finding(False, framework, f"{version}: {use} does not work ({last})")
