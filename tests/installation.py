"""The wheel, and an environment that it is installed into: made once, for the tests of all processes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["build_wheel", "install", "once", "run"]

REPOSITORY = Path(__file__).resolve().parents[1]


def run(*arguments: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command and return what it printed; what it complained of is in the failure."""
    # Coverage of child processes imports sqlite3, which is one of the modules that are looked for.
    left_out = {"PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    done = subprocess.run(
        arguments, cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder that tests of several processes share, made by the first of them."""
    with open(folder.with_name(f"{folder.name}.lock"), "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if lock.tell() == 0:
            make(folder)
            lock.write("made")
    return folder


def build_wheel(folder: Path) -> None:
    """Build the wheel with the tools that are installed here, so without network."""
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY)
    run(*build, cwd=REPOSITORY)


def install(what: Path, environment: Path, *, tool: str = "pip") -> None:
    """Install a wheel, or a checkout as editable, into an environment that sees the dependencies, not the checkout.

    `tool` is pip or uv.
    """
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment.parent)
    (site,) = environment.glob("lib/python*/site-packages")
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    # A folder that a .pth file names is added without its own .pth files: an editable install stays out.
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    told = [*_TOOLS[tool](environment), "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    run(
        *told,
        *(["--editable", what] if what.is_dir() else [what]),
        cwd=environment,
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )


_TOOLS: dict[str, Callable[[Path], list[str | Path]]] = {
    "pip": lambda environment: [sys.executable, "-m", "pip", "--python", environment, "install"],
    "uv": lambda environment: [
        Path(sys.executable).with_name("uv"), "pip", "install", "--python", environment / "bin" / "python"
    ],
}  # fmt: skip
