"""The folders are the map of the data flow: what may import what is held here, from the source itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What a part of the core may import of the others; errors and masking are everybody's.
ALLOWED = {
    "client": {
        "journal",
        "reader",
    },  # the reader for a run that is continued and artifacts, in two modules: see below
    "journal": set[str](),
    "writer": {"journal", "storage", "reader"},  # the reader for what only it knows: what is shown of a run
    "storage": {"journal"},
    "reader": {"journal", "storage"},
}
ALWAYS = {"errors", "masking"}
# The package, and the modules of it that adapters and the viewer may name.
PUBLIC = {
    "kohakuboard",
    "kohakuboard.annotations",
    "kohakuboard.client",
    "kohakuboard.errors",
    "kohakuboard.masking",
    "kohakuboard.reader",
    "kohakuboard.lightning",
    "kohakuboard.transformers",
    "kohakuboard.accelerate",
}


def imported(file: Path, package: str) -> set[str]:
    """Return the absolute names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            found.add(".".join([*base, *filter(None, [node.module])]))
    return found


def package_of(file: Path) -> str:
    """Return the name of the package that a module of the core is in."""
    return ".".join(file.parent.relative_to(ROOT).parts)


@pytest.mark.parametrize("part", ALLOWED)
def test_no_part_of_the_core_imports_backwards(part: str) -> None:
    files = sorted((ROOT / "kohakuboard" / part).rglob("*.py"))
    assert files
    for file in files:
        names = imported(file, package_of(file))
        others = {name.split(".")[1] for name in names if name.startswith("kohakuboard.")}
        assert others <= ALLOWED[part] | ALWAYS | {part}, file


def test_the_writer_asks_the_reader_in_one_place() -> None:
    files = sorted((ROOT / "kohakuboard" / "writer").rglob("*.py"))
    reading = [file.name for file in files if "kohakuboard.reader" in imported(file, package_of(file))]
    assert reading == ["lineage.py"]


def test_the_board_reads_nothing_but_a_run_that_it_continues_and_artifacts_that_it_uses() -> None:
    files = sorted((ROOT / "kohakuboard" / "client").rglob("*.py"))
    reading = [file.name for file in files if "kohakuboard.reader" in imported(file, package_of(file))]
    # The events for the name of a type alone.
    assert reading == ["artifacts.py", "events.py", "takeover.py"]


@pytest.mark.parametrize("part", ["client", "journal", "writer", "reader"])
def test_only_storage_imports_lance(part: str) -> None:
    for file in (ROOT / "kohakuboard" / part).rglob("*.py"):
        assert not {name for name in imported(file, "x") if name.split(".")[0] in ("lance", "pyarrow")}, file


@pytest.mark.parametrize("folder", ["integrations", "viewer"])
def test_adapters_and_viewer_use_public_names_only(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        package = ".".join(file.parent.relative_to(ROOT / folder).parts)
        core = {name for name in imported(file, package) if name.split(".")[0] == "kohakuboard"}
        assert core <= PUBLIC, file
