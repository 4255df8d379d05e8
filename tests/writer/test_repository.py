"""git is asked about real repositories, and never waited for."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from kohakuboard.writer.repository import DIFF_BYTES, repository_state


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=trunk"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.mkdir()
    git(path, "init", "-q")
    (path / "train.py").write_text("lr = 1\n")
    git(path, "add", ".")
    git(path, "commit", "-qm", "first")
    return path


def test_commit_branch_remote_and_changes_are_told(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://bob:s3cret@example.org/a/b.git")
    assert repository_state(repository) == {
        "commit": git(repository, "rev-parse", "HEAD"),
        "branch": "trunk",
        "remote": "https://example.org/a/b.git",
        "changed": False,
    }
    (repository / "train.py").write_text('lr = 2\napi_key = "s3cret"\n')
    state = repository_state(repository)
    assert state["changed"]
    assert "-lr = 1\n+lr = 2\n" in state["diff"]
    assert 'api_key = "***"' in state["diff"]
    assert "s3cret" not in str(state)


def test_what_is_staged_and_a_directory_below_count_too(repository: Path) -> None:
    (repository / "new.py").write_text("x = 1\n")
    git(repository, "add", "new.py")
    (repository / "below").mkdir()
    assert "+x = 1" in repository_state(repository / "below")["diff"]


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert repository_state(repository).keys() == {"commit", "changed"}


def test_outside_of_a_repository_and_without_a_commit_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert repository_state(tmp_path) == {}
    assert repository_state(tmp_path / "gone") == {}
    git(tmp_path, "init", "-q")
    assert repository_state(tmp_path) == {}


def test_a_long_diff_is_cut_at_a_line_and_says_so(repository: Path) -> None:
    (repository / "train.py").write_text("x = 'abcdefgh'\n" * 200_000)
    state = repository_state(repository)
    assert DIFF_BYTES - 100 < len(state["diff"]) <= DIFF_BYTES
    assert state["diff"].endswith("+x = 'abcdefgh'\n")
    assert state["note"] == "the diff is longer than 1 MiB; this is its beginning"


def test_a_program_that_the_repository_names_is_not_run(repository: Path) -> None:
    """A repository may name a program that shows differences, or that watches its files."""
    (repository / ".gitattributes").write_text("*.py diff=shown\n")
    ran = repository.parent / "ran"
    for setting in ("diff.shown.command", "diff.shown.textconv", "core.fsmonitor"):
        git(repository, "config", setting, f"touch {ran}; true")
    (repository / "train.py").write_text("lr = 2\n")
    assert "+lr = 2" in repository_state(repository)["diff"]
    assert not ran.exists()


def test_git_that_does_not_answer_is_not_waited_for(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    real = next(Path(one) / "git" for one in os.environ["PATH"].split(":") if (Path(one) / "git").exists())
    fake.write_text(f'#!/bin/sh\ncase "$*" in *diff*) exec sleep 60;; esac\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    (repository / "train.py").write_text("lr = 2\n")
    began = time.monotonic()
    state = repository_state(repository, limit_s=1.0)
    assert time.monotonic() - began < 30  # and not the sixty of the fake
    assert state["branch"] == "trunk"
    assert "diff" not in state
    assert "did not tell" in state["note"]


def test_the_index_is_not_locked_for_others(repository: Path) -> None:
    """`git status` refreshes the index, for which it takes a lock that makes somebody's commit fail."""
    (repository / "train.py").touch()
    before = (repository / ".git" / "index").stat().st_mtime_ns
    repository_state(repository)
    assert (repository / ".git" / "index").stat().st_mtime_ns == before
