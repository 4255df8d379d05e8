"""What is installed: the right packages, with their data, under the right names, and light to import."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

import kohakuboard
from tests.installation import run

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = {
    "kohakuboard": "kohakuboard",
    "kohakuboard_accelerate": "integrations/kohakuboard_accelerate",
    "kohakuboard_lightning": "integrations/kohakuboard_lightning",
    "kohakuboard_transformers": "integrations/kohakuboard_transformers",
    "kohakuboard_viewer": "viewer/kohakuboard_viewer",
}
# What lets scripts that do not import kohakuboard log with it.
AUTOLOAD = {"_kohakuboard_hook.py", "kohakuboard_autoload.pth", "kohakuboard_autoload.start"}
# What training must not load because it logs: each of them costs 50 ms or more, or is unsafe after a fork.
HEAVY = {"lance", "lightning", "msgspec", "numpy", "pandas", "pyarrow", "sqlite3", "sqlite_utils", "torch"}


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Return the paths inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_package_and_nothing_beside_them(names: set[str]) -> None:
    folders = {name.partition("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES) | AUTOLOAD


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
