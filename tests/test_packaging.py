"""What is installed: the right packages, with their data, under the right names, and light to import."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kohakuboard

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    "kohakuboard": "kohakuboard",
    "kohakuboard_accelerate": "integrations/kohakuboard_accelerate",
    "kohakuboard_lightning": "integrations/kohakuboard_lightning",
    "kohakuboard_transformers": "integrations/kohakuboard_transformers",
    "kohakuboard_viewer": "viewer/kohakuboard_viewer",
}
# What training must not load because it logs: each of them costs 50 ms or more, or is unsafe after a fork.
HEAVY = {"lance", "lightning", "msgspec", "numpy", "pandas", "pyarrow", "sqlite3", "sqlite_utils", "torch"}


def run(*arguments: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command and return what it printed; what it complained of is in the failure."""
    # Coverage of child processes imports sqlite3, which is one of the modules that are looked for here.
    left_out = {"PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    done = subprocess.run(
        arguments, cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the tools that are installed here, so without network."""
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder,
        REPOSITORY,
        cwd=REPOSITORY,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Return the paths inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment that sees the dependencies, not the checkout; return its bin."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    (site,) = environment.glob("lib/python*/site-packages")
    run(
        sys.executable,
        *("-m", "pip", "--python", environment, "install", "--quiet", "--no-deps", "--no-index", wheel),
        cwd=environment,
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    # A folder that a .pth file names is added without its own .pth files: an editable install stays out.
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    return environment / "bin"


def test_the_wheel_holds_every_package_and_nothing_beside_them(names: set[str]) -> None:
    folders = {name.partition("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_the_wheel_holds_all_of_a_package(names: set[str], package: str) -> None:
    source = REPOSITORY / PACKAGES[package]
    files = {
        f"{package}/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert f"{package}/py.typed" in files
    assert files - names == set()


def test_the_wheel_holds_what_the_viewer_serves(names: set[str]) -> None:
    for suffix in (".html", ".js", ".css"):
        assert any(name.startswith("kohakuboard_viewer/") and name.endswith(suffix) for name in names)


@pytest.mark.parametrize("module", ["integrations", "viewer"])
def test_a_folder_of_the_repository_cannot_be_imported(installed: Path, tmp_path: Path, module: str) -> None:
    code = f"""
try:
    import {module}
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(installed / "python", "-c", code, cwd=tmp_path) == f"{module}\n"


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_package_is_found_in_the_installation(installed: Path, tmp_path: Path, package: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({package!r}).origin)"
    origin = Path(run(installed / "python", "-c", code, cwd=tmp_path).strip())
    assert origin.is_relative_to(installed.parent)


def test_the_distribution_and_the_package_have_one_version(wheel: Path) -> None:
    assert wheel.name.startswith(f"kohakuboard-{kohakuboard.__version__}-")


def test_the_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "kobo", "--version", cwd=tmp_path) == f"kobo {kohakuboard.__version__}\n"


def loaded_by(statement: str, cwd: Path) -> set[str]:
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(run(sys.executable, "-c", code, cwd=cwd, PYTHONPATH=str(REPOSITORY)).split())


def test_importing_kohakuboard_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by("import kohakuboard", tmp_path) & HEAVY == set()


def test_logging_scalars_loads_nothing_heavy(tmp_path: Path) -> None:
    program = "from kohakuboard import Board; board = Board('light'); board.log(loss=0.5); board.finish()"
    assert loaded_by(program, tmp_path) & HEAVY == set()


def test_the_version_is_printed_without_loading_the_stores_or_the_viewer(tmp_path: Path) -> None:
    loaded = loaded_by("from kohakuboard.cli import main; main(['--version'])", tmp_path)
    assert loaded & (HEAVY | {"starlette", "uvicorn", "jinja2", "rich"}) == set()
