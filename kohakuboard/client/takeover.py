"""Find out how a process takes a run up: as a new run, as one more attempt at an old one, or not at all.

`resume` says what to do about the run that `run_id` names:

    resume     it exists             it does not      somebody logs to it at this moment
    allow      continue it           begin it         begin another run, with a warning
    must       continue it           RunNotFoundError RunLiveError
    never      RunExistsError        begin it         RunExistsError

Only rank 0 decides; the other ranks of a job log to whatever run they are told, in whichever order they come. That
nobody else logs as rank 0 is seen to by a lock, which ends with its process. It does not reach other machines: there
the heartbeat of the writer tells.

A run that is continued is read once, for its last step, its configuration and the number of its attempts. That is the
only time that the training process imports the reader, and with it numpy and sqlite3; never lance.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ..errors import InvalidStepError, RunExistsError, RunLiveError, RunNotFoundError, SettingError
from ..journal.lock import FileLock
from ..journal.process import HEARTBEAT_S, host_name, process_start_mark
from .names import directory_name, new_run_id
from .plain import INT64
from .values import whole_number

if TYPE_CHECKING:
    from ..reader import Run

__all__ = [
    "Fork",
    "Resume",
    "Takeover",
    "fork_of",
    "resume_setting",
    "step_of_checkpoint",
    "take_up",
    "valid_rank",
]

log = logging.getLogger("kohakuboard")

Resume = Literal["allow", "must", "never"]
RESUME_VARIABLE: Final = "KOHAKUBOARD_RESUME"
LOCK: Final = ".board.lock"
WAYS: Final = ("allow", "must", "never")
# A writer of another machine that lives shows it within this.
LIFE_WITHIN_S: Final = 2.5 * HEARTBEAT_S


class Fork(NamedTuple):
    """Say of which run, and up to which step, a new one has the points."""

    path: Path
    step: int

    def plain(self) -> dict[str, Any]:
        """Return it as the start of a run records it."""
        return {"path": str(self.path), "run": f"{self.path.parent.name}/{self.path.name}", "step": self.step}


class Takeover(NamedTuple):
    """Say how a process takes a run up.

    `attempt` is None where the order of attempts is told by their time; `lock` where nobody else is kept out.
    """

    path: Path
    lock: FileLock | None
    attempt: int | None
    last_step: int | None
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    continued: bool

    def first_step(self, at_step: int | None, fork: Fork | None) -> int:
        """Return the first step that a board counts by itself."""
        if at_step is not None:
            reached = at_step
        elif fork is not None:
            reached = fork.step
        else:
            reached = self.last_step if self.last_step is not None else -1
        return min(max(reached + 1, 0), INT64[-1])


def resume_setting(value: object, environment: Mapping[str, str] = os.environ) -> Resume:
    """Return the way to resume that an argument names, else the environment, else "allow"."""
    if value is None:
        text = environment.get(RESUME_VARIABLE, "")
        if text and text not in WAYS:
            log.warning("%s", SettingError(RESUME_VARIABLE, text, "set it to 'allow', 'must' or 'never'"))
        value = text if text in WAYS else "allow"
    for way in WAYS:
        if value == way:
            return way
    raise SettingError("resume", value, "set it to 'allow', 'must' or 'never', or leave it out")


def step_of_checkpoint(step: Any) -> int:
    """Return the step that `at_step` names. Raises SettingError."""
    number = whole_number(step)
    if number is None or number not in INT64:
        raise SettingError("at_step", step, "set it to the step of the checkpoint, a 64-bit integer")
    return number


def valid_rank(rank: Any) -> int:
    """Return the number of a process in its job. Raises SettingError."""
    number = whole_number(rank)
    if number is None or not 0 <= number < 2**31:
        raise SettingError("rank", rank, "set it to 0 or more, or leave it out")
    return number


def fork_of(fork_from: Any, root: Path, project: str) -> Fork:
    """Return the run that (run, step) names: by its path, its id in the project, or "project/id".

    Raises RunNotFoundError when there is none, InvalidStepError when the step is no integer.
    """
    try:
        run, step = fork_from
    except (TypeError, ValueError):
        raise SettingError("fork_from", fork_from, "set it to a run and a step: (run_id, 1000)") from None
    try:
        number = index(step)
    except TypeError:
        raise InvalidStepError(step) from None
    wanted = os.fspath(run)
    for path in (root / directory_name(project) / wanted, root / wanted, Path(wanted).expanduser()):
        if _is_run(path):
            return Fork(path.absolute(), number)
    raise RunNotFoundError(root, wanted)


def take_up(
    path: Path, *, rank: int, named: bool, resume: Resume, name: str, new_attempt: bool = False
) -> Takeover:
    """Take up the run at a path, or begin another one beside it; its directory is there afterwards.

    Args:
        path: Where the run lies, or is to lie.
        rank: Of this process. Only rank 0 keeps others out.
        named: Whether the caller named the run; one with an id that was just made up cannot be there.
        resume: What to do about one that is there.
        name: What another run would be called.
        new_attempt: Whether also this process's own run is continued by another attempt.
    """
    if rank:
        path.mkdir(parents=True, exist_ok=True)
        return Takeover(path, None, None, None, {}, {}, continued=True)
    exists = named and _is_run(path)
    if exists and resume == "never":
        raise RunExistsError(path)
    if named and not exists and resume == "must":
        raise RunNotFoundError(path.parent.parent, f"{path.parent.name}/{path.name}")
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK)
    locked = _acquire(lock)
    if locked is False:
        return _instead(path, _holder(path), resume, name)
    if not exists:
        return Takeover(path, lock, 1, None, {}, {}, continued=False)
    try:
        return _continue(path, lock, resume, name, here=locked is None, new_attempt=new_attempt)
    except BaseException:
        lock.release()  # nobody will log: whoever tries again must not be kept out
        raise


def _continue(
    path: Path, lock: FileLock, resume: Resume, name: str, *, here: bool, new_attempt: bool
) -> Takeover:
    from ..reader import open_run

    run = open_run(path)
    if _is_live(run, here=here):
        lock.release()
        return _instead(path, _holder(path), resume, name)
    number = _next_attempt(run, new_attempt)
    return Takeover(path, lock, number, run.last_step, run.config, run.user_summary, continued=True)


def _next_attempt(run: Run, new_attempt: bool) -> int | None:
    """Return the number of the next attempt; of a run that cannot be read the time tells which is the last."""
    last = next((attempt for attempt in reversed(run.attempts) if attempt.rank == 0), None)
    if run.status == "unreadable":
        return None
    if last is None:
        return 1
    pid = os.getpid()
    own = (last.host, last.pid, last.process_start) == (host_name(), pid, process_start_mark(pid))
    # A process that goes on with what it had finished itself goes on with its attempt.
    return last.number if own and not new_attempt else last.number + 1


def _instead(path: Path, holder: str, resume: Resume, name: str) -> Takeover:
    """Begin another run, since somebody logs to the one that was named, or say that this cannot be."""
    if resume == "never":
        raise RunExistsError(path)
    if resume == "must":
        raise RunLiveError(path, holder)
    other = path.with_name(new_run_id(name))
    log.warning("%s; this process logs to a new run, %s", RunLiveError(path, holder), other.name)
    return take_up(other, rank=0, named=False, resume=resume, name=name)


def _acquire(lock: FileLock) -> bool | None:
    try:
        return lock.acquire()
    except OSError:
        return None  # a file system without locks: what the run says of itself must do


def _is_live(run: Run, *, here: bool) -> bool:
    """Tell whether another process logs to a run, by what the run says; of this machine's only if that is asked for.

    Of a process of another machine only the heartbeat of its writer is to be seen, so we wait for the next one.
    """
    last = next((attempt for attempt in reversed(run.attempts) if attempt.rank == 0), None)
    if last is None or last.status != "running" or last.host is None:
        return False
    if last.host == host_name():
        return here
    seen, deadline = run.heartbeat, time.monotonic() + LIFE_WITHIN_S
    log.warning("looking for up to %.0f s whether %s still logs to %s", LIFE_WITHIN_S, last.host, run.path)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        run.refresh()
        if run.heartbeat != seen:
            return True
    return False


def _holder(path: Path) -> str:
    """Return who logs to a run, as far as it says."""
    from ..reader import open_run

    attempts = [attempt for attempt in open_run(path).attempts if attempt.rank == 0] if _is_run(path) else []
    last = attempts[-1] if attempts else None
    return f"process {last.pid} on {last.host}" if last is not None and last.pid else "another process"


def _is_run(path: Path) -> bool:
    return (path / "run.db").exists() or (path / "journal").is_dir()
