"""What git knows of the code that a run ran: commit, branch, where it comes from, and what was changed since.

git is somebody else's program in somebody else's repository: it gets no lock, no terminal and none of the repository's
own programs to run, has a limited time, and what it prints is read up to a limit.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Final

from ..masking import masked_text, without_credentials

__all__ = ["DIFF_BYTES", "repository_state"]

# For all that is asked of one repository.
GIT_S: Final = 10.0
DIFF_BYTES: Final = 1 << 20
ANSWER_BYTES: Final = 1 << 16

# Status and diff must not take the index's lock from a person who commits meanwhile; nothing is fetched or asked.
_ENVIRONMENT: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
_COMMAND: Final = ("git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_DIFF: Final = ("diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short")


def repository_state(directory: Path, limit_s: float = GIT_S) -> dict[str, Any]:
    """Return commit, branch, remote, changed and diff of the repository around a directory; empty outside of one.

    The diff is that of tracked files against the commit, at most DIFF_BYTES of it, with secrets masked; `note` says
    what is missing.
    """
    git = _Git(directory, time.monotonic() + limit_s)
    commit = git.line("rev-parse", "--verify", "HEAD")
    if not commit:
        return {}
    found = {"commit": commit, "branch": git.line("symbolic-ref", "--short", "HEAD")}
    if remote := git.line("remote", "get-url", "origin") or git.line(
        "config", "--get-regexp", r"^remote\..*\.url$"
    ):
        found["remote"] = without_credentials(remote.split()[-1])
    return {**{key: value for key, value in found.items() if value}, **_changes(git)}


def _changes(git: _Git) -> dict[str, Any]:
    data = git.output(*_DIFF, limit_bytes=DIFF_BYTES + 1)
    if data is None:
        return {"note": f"git did not tell within {GIT_S:g} s what was changed"}
    found: dict[str, Any] = {"changed": bool(data)}
    if len(data) > DIFF_BYTES:
        # A line that is cut could be half a secret.
        data = data[: data.rfind(b"\n", 0, DIFF_BYTES) + 1]
        found["note"] = f"the diff is longer than {DIFF_BYTES >> 20} MiB; this is its beginning"
    if data:
        found["diff"] = masked_text(data.decode("utf-8", "replace"))
    return found


class _Git:
    def __init__(self, directory: Path, deadline: float) -> None:
        self._directory = directory
        self._deadline = deadline

    def line(self, *arguments: str) -> str | None:
        """Return the first line that git prints; None when it fails, or prints nothing."""
        output = self.output(*arguments, limit_bytes=ANSWER_BYTES)
        return output.decode("utf-8", "replace").strip().partition("\n")[0] if output else None

    def output(self, *arguments: str, limit_bytes: int) -> bytes | None:
        """Return the beginning of what git prints; None when it fails, or takes too long."""
        try:
            process = subprocess.Popen(
                [*_COMMAND, *arguments],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
            )
        except OSError:
            return None  # there is no git, or no such directory any more
        late = threading.Timer(max(self._deadline - time.monotonic(), 0), process.kill)
        late.start()
        try:
            with process:
                assert process.stdout is not None
                output = process.stdout.read(limit_bytes)
                full = len(output) == limit_bytes
                if full:
                    process.kill()
        finally:
            late.cancel()
        return output if full or process.returncode == 0 else None
