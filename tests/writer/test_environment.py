"""What a run remembers of machine, program and code: of a real program, with real secrets in all places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohakuboard.reader import Run, open_run
from tests.writer.test_repository import git

PROGRAM = """
import os, sys
from kohakuboard import Board
os.environ["RANK"] = "0"
board = Board("b", base_dir=sys.argv[1], config={"lr": 0.1, "api_key": "s3cret", "db": "mysql://me:s3cret@host/x"})
assert board.config["api_key"] == "s3cret"
board.config["hf_token"] = "s3cret"
board.log(a=1)
board.finish()
print(board.path)
"""


def run_program(directory: Path, *arguments: str, **variables: str) -> Run:
    program = directory / "train.py"
    if not program.exists():
        program.write_text(PROGRAM)
    root = directory.parent / "runs"
    done = subprocess.run(
        [sys.executable, program, root, *arguments],
        cwd=directory, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return open_run(done.stdout.strip())


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return a repository whose remote has a password, and whose working tree has another one."""
    path = tmp_path / "code"
    path.mkdir()
    (path / "train.py").write_text(PROGRAM)
    (path / "settings.py").write_text("steps = 1\n")
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-qm", "first")
    git(path, "remote", "add", "origin", "https://me:s3cret@example.org/a/b.git")
    (path / "settings.py").write_text('steps = 2\npassword = "s3cret"\n')
    return path


def all_bytes(run: Path) -> bytes:
    return b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())


def test_no_secret_of_a_program_is_in_its_run(code: Path) -> None:
    run = run_program(
        code, "--token", "s3cret", "--api-key=s3cret", "--tokenizer", "gpt2",
        KOHAKUBOARD_ALERT_WEBHOOK="https://example.org/s3cret", SLURM_JOB_ID="77", SLURM_TOKEN="s3cret",
        OTHER="s3cret",
    )  # fmt: skip
    assert b"s3cret" not in all_bytes(run.path)
    environment = run.environment
    assert environment["argv"][2:] == ["--token", "***", "--api-key=***", "--tokenizer", "gpt2"]
    assert environment["command"].endswith("--tokenizer gpt2")
    assert run.config == {"lr": 0.1, "api_key": "***", "db": "mysql://***@host/x", "hf_token": "***"}


def test_the_environment_says_what_ran_where_and_with_what(code: Path) -> None:
    run = run_program(code, SLURM_JOB_ID="77", MASTER_ADDR="node1", UNRELATED="x")
    environment = run.environment
    assert environment["script"] == str(code / "train.py")
    assert environment["cwd"] == str(code)
    assert environment["host"] == os.uname().nodename
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"user", "platform", "cpu", "cpu_count", "memory_gib"} <= environment.keys()
    assert environment["packages"]["numpy"].count(".") == 2
    # RANK was set by the program itself.
    variables = environment["variables"]
    assert {"SLURM_JOB_ID": "77", "MASTER_ADDR": "node1", "RANK": "0"}.items() <= variables.items()
    assert not {"UNRELATED", "PATH", "KOHAKUBOARD_SYNC_EVERY_S"} & variables.keys()
    state = environment["git"]
    assert state["commit"] == git(code, "rev-parse", "HEAD")
    assert state["remote"] == "https://example.org/a/b.git"
    assert "-steps = 1\n+steps = 2\n" in state["diff"]


def test_what_is_large_is_not_read_for_a_list(code: Path) -> None:
    run = run_program(code)
    assert b"+steps = 2" not in (run.path / "run.digest").read_bytes()
    assert b"typing-extensions" not in (run.path / "run.digest").read_bytes()


@pytest.mark.parametrize("variable", ["KOHAKUBOARD_CAPTURE_ENVIRONMENT", "KOHAKUBOARD_CAPTURE_GIT"])
def test_capturing_can_be_turned_off(code: Path, variable: str) -> None:
    environment = run_program(code, **{variable: "0"}).environment
    assert "git" not in environment
    assert ("argv" in environment) == ("packages" in environment) == (variable == "KOHAKUBOARD_CAPTURE_GIT")
    if variable == "KOHAKUBOARD_CAPTURE_ENVIRONMENT":
        assert environment == {}


def test_a_run_that_is_continued_elsewhere_has_the_code_of_its_last_program(code: Path) -> None:
    first = run_program(code, KOHAKUBOARD_RUN_ID="r")
    assert "diff" in first.environment["git"]
    other = code.parent / "other"
    other.mkdir()
    second = run_program(other, KOHAKUBOARD_RUN_ID="r")
    assert len(second.attempts) == 2
    assert second.environment["script"] == str(other / "train.py")
    assert "git" not in second.environment
