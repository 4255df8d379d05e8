"""The documentation does what it says: its code runs, its links lead somewhere, and nothing is left out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kohakuboard.cli import kobo

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
# Transformers imports its modules when they are asked for.
FRAMEWORKS = (
    "torch",
    "lightning",
    "accelerate",
    "transformers.trainer",
    "transformers.models.gpt2.modeling_gpt2",
)
SOURCES = ("kohakuboard", "integrations", "viewer")

SETUP_AND_BLOCK = re.compile(
    r"(?:<!-- setup\n(?P<setup>.*?)-->\n)?^```python\n(?P<code>.*?)^```$", re.M | re.S
)
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)[^)]*\)")
VARIABLE = re.compile(r"\bKOHAKUBOARD_[A-Z_]+\b")


def blocks(page: Path) -> list[str]:
    """Return the Python programs of a page, each behind its setup comment, if it has one."""
    return [(match["setup"] or "") + match["code"] for match in SETUP_AND_BLOCK.finditer(page.read_text())]


def documentation() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def source_files() -> list[Path]:
    return [path for folder in SOURCES for path in (REPOSITORY / folder).rglob("*.py")]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="programs are forked")
def test_the_python_blocks_of_each_page_run_one_after_another(tmp_path: Path) -> None:
    programs = []
    for page in PAGES:
        folder = tmp_path / page.stem
        folder.mkdir()
        for number, code in enumerate(blocks(page), 1):
            programs.append((f"block {number} of {page.name}", str(folder), code))
    done = subprocess.run(
        [sys.executable, REPOSITORY / "tests" / "forked_programs.py", *FRAMEWORKS],
        input=json.dumps(programs),
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout


def test_no_python_block_escapes_the_test() -> None:
    for page in PAGES:
        assert len(blocks(page)) == page.read_text().count("```python")


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_inside_the_repository_lead_to_files(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(page.read_text())]
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("name", sorted(kobo.commands))
def test_every_command_and_each_of_its_options_is_documented(name: str) -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    section = page.partition(f"\n## kobo {name}\n")[2].partition("\n## ")[0]
    assert section, f"docs/cli.md has no section `kobo {name}`"
    options = [
        flag
        for parameter in kobo.commands[name].params
        if isinstance(parameter, click.Option)
        for flag in (*parameter.opts, *parameter.secondary_opts)
    ]
    assert [flag for flag in options if flag not in section] == []


def test_every_setting_in_the_source_is_documented() -> None:
    used = {name for path in source_files() for name in VARIABLE.findall(path.read_text())}
    assert "KOHAKUBOARD_DIR" in used
    assert used <= set(VARIABLE.findall(documentation()))


def test_every_documented_setting_is_in_the_source() -> None:
    used = {name for path in source_files() for name in VARIABLE.findall(path.read_text())}
    assert set(VARIABLE.findall(documentation())) <= used
