"""The object that users log to.

    board.log(loss=0.5)  ->  journal (mapped memory)  ->  [another process] writer -> Lance, SQLite, media files

`log` is built for the common call, floats under known names: two tests and one append. Everything else (tensors,
histograms, refusals) takes `_log_each`. One promise is kept here for all of training: no failure of the logger gets
out of a board. What does are two mistakes in the caller's program: the use of a closed board (BoardClosedError), and a
`step(n)` whose n is no integer (InvalidStepError).

Here are its beginning and `log`. It is built up from what is a thing of its own: what it tells people (telling.py), its
step (steps.py) and the shard that it appends to (journalling.py); on these its calls (calls.py), the events of its run
(events.py) and the models that it watches (watch.py); on these its life in other processes (sharing.py) and its end
(finishing.py). They share their attributes, since `log` must find all that it needs on the board itself.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from ..errors import BoardClosedError
from ..journal.console import console_path
from ..journal.settings import settings
from ..journal.shard import Shard
from ..masking import masked, masked_arguments
from .alerts import Alerts
from .calls import Calls
from .console import CaptureOutput, ConsoleCapture
from .cuda import CudaCopies
from .device import Copies, LateCalls
from .drops import Drops
from .ending import end_of
from .finishing import Finishing
from .names import directory_name, new_run_id, random_name
from .plain import plain, text_of, words
from .rank import process_rank
from .sharing import board_of, live_boards, open_boards
from .shortcuts import Shortcuts
from .stand_ins import ClosedShard, ForkedShard
from .steps import HIGHEST_STEP
from .supervisor import Supervisor
from .takeover import Resume, fork_of, resume_setting, step_of_checkpoint, take_up, valid_rank
from .telling import say

__all__ = ["DEFAULT_ROOT", "Board", "default_root", "open_boards"]

log = logging.getLogger("kohakuboard")

DEFAULT_ROOT: Final = "kohakuboard"


def default_root() -> Path:
    """Return where runs lie when nothing else is said: $KOHAKUBOARD_DIR, else ./kohakuboard."""
    return Path(os.environ.get("KOHAKUBOARD_DIR") or DEFAULT_ROOT)


class Board(Calls, Shortcuts, Finishing):
    """Log one run.

    Args:
        name: What people call the run; a memorable one is made up when none is given.
        project: The folder that the run is filed under.
        config: Hyperparameters, of any shape and types. What is stored of texts under names such as api_key or
            password is ***; `config` of the board has them.
        base_dir: Root of all projects; default $KOHAKUBOARD_DIR, else ./kohakuboard.
        run_id: Unique within the project; by default $KOHAKUBOARD_RUN_ID, else a new one. The processes of a
            distributed job that are given the same one log to the same run, each as its rank.
        resume: What to do when that run exists: "allow" continues it, "never" does not, and with "must" it has to
            exist. Default $KOHAKUBOARD_RESUME, else "allow". A run that somebody logs to is not continued: "allow"
            begins another one then, with a warning. Only within the process that has it open may another Board log to
            it, too; the first one ends it.
        at_step: The step of the checkpoint that a continued run goes on from. What it had logged beyond that step is
            superseded: kept, and no longer shown. Default: the last step, and nothing is superseded but what is
            logged again. Ranks above 0 do not read the run: without `at_step` or `log(step=…)` they count from 0.
        new_attempt: Whether a process that continues what it had finished itself begins another attempt, as any other
            process does, and as with `at_step`; by default it goes on with the one it had.
        fork_from: A run and a step, `(run_id, 1000)`: a new run begins with the points of that one up to the step. The
            run is named by its id in the project, "project/id", or its path. Ignored when the new run exists.
        rank: Which process of a distributed job this is; by default as torch.distributed, torchrun, Lightning, SLURM
            or MPI say. What is shown of the run as a whole is rank 0's.
        tags: Words to find the run by.
        notes: Free text.
        group: What the run belongs together with, such as a sweep.
        capture_output: Whether to keep what is printed in console.log, or console.<rank>.log of another rank: True for
            all that this process and its children print, C code included, where that is safe (on Linux, not in an
            interactive interpreter on a terminal, nor as the first process of a container), else "python": what
            Python code of this process prints. "fd" is True with a warning where it is not safe. False keeps
            nothing.
        journal: "mapped" or "write": how records get into the journal. Default $KOHAKUBOARD_JOURNAL, else mapped
            where the file system is one of this machine, and written where it is, or may be, a network's.
        sync_every_s: How much of the log a power cut may cost, in seconds; the background writer syncs the journal
            that often. Default $KOHAKUBOARD_SYNC_EVERY_S, else 5; with 0 whenever it looks, twice a second.
        journal_limit_bytes: What the journal of this process may take on disk while the writer is behind. Default
            $KOHAKUBOARD_JOURNAL_LIMIT, else 4 GiB. Past it calls are dropped, and counted.
        webhook: Where alerts are sent: an address of Slack, Discord or any server that takes JSON; "" for nowhere.
            Default $KOHAKUBOARD_WEBHOOK. It is a secret, and is not stored.
        system_metrics_every_s: How often the background writer notes what machine and process do, such as system/cpu,
            in seconds; 0 for never. Default $KOHAKUBOARD_SYSTEM_METRICS_EVERY_S, else 5.
        capture_environment: Whether to note the command line, machine, installed packages and the variables of
            launchers, secrets masked. Default $KOHAKUBOARD_CAPTURE_ENVIRONMENT, else True.
        capture_git: Whether that includes commit, branch, remote and what was changed since the commit. Default
            $KOHAKUBOARD_CAPTURE_GIT, else True.

    Returns at once: the directory and the journal are made and the background writer is started, not awaited.
    A run that is continued is read first, which takes a tenth of a second, and up to 25 s where the heartbeat of
    another machine must tell whether it still logs. Raises OSError when the directory cannot be made, SettingError for
    an argument that cannot be used, RunNotFoundError, RunExistsError or RunLiveError when
    `resume` or `fork_from` cannot be followed.

    In a process of `multiprocessing` or a DataLoader, forked or unpickled, it logs to the same run, through a shard of
    that process, and neither starts nor ends the run: `finish` does nothing there.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        project: str = "default",
        config: Mapping[str, Any] | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        run_id: str | None = None,
        resume: Resume | None = None,
        at_step: int | None = None,
        new_attempt: bool = False,
        fork_from: tuple[str | os.PathLike[str], int] | None = None,
        rank: int | None = None,
        tags: Sequence[str] | None = None,
        notes: str | None = None,
        group: str | None = None,
        capture_output: CaptureOutput = True,
        journal: Literal["mapped", "write"] | None = None,
        sync_every_s: float | None = None,
        journal_limit_bytes: int | None = None,
        webhook: str | None = None,
        system_metrics_every_s: float | None = None,
        capture_environment: bool | None = None,
        capture_git: bool | None = None,
    ) -> None:
        self._settings = settings(
            journal,
            sync_every_s,
            journal_limit_bytes=journal_limit_bytes,
            webhook=webhook,
            system_metrics_every_s=system_metrics_every_s,
            capture_environment=capture_environment,
            capture_git=capture_git,
        )
        given_id = text_of(run_id) or text_of(os.environ.get("KOHAKUBOARD_RUN_ID"))
        self.name = text_of(name) or given_id or random_name()
        self.project = text_of(project) or "default"
        self.rank = process_rank() if rank is None else valid_rank(rank)
        at_step = step_of_checkpoint(at_step) if at_step is not None else None
        root = Path(base_dir).expanduser() if base_dir is not None else default_root()
        fork = fork_of(fork_from, root, self.project) if fork_from is not None else None
        run_name = directory_name(given_id, "run") if given_id else new_run_id(self.name)
        path = (root / directory_name(self.project) / run_name).absolute()
        owner = board_of(path, self.rank) if given_id else None
        if owner is not None and resume_setting(resume) != "never":
            self._join(owner, config)
            return
        taken = take_up(
            path,
            rank=self.rank,
            named=given_id is not None,
            resume=resume_setting(resume),
            name=self.name,
            new_attempt=new_attempt or at_step is not None,
        )
        if taken.continued:
            fork = None
        self.path, self.id, self._lock = taken.path, taken.path.name, taken.lock
        self._make_mappings()
        self._pid = os.getpid()
        self._is_continued = taken.continued
        self._lineage: str | None = None
        self._step = 0
        self._stepping = self._has_changed = False
        self._under_way: str | None = None
        self._next_step = self._first_step = taken.first_step(at_step, fork)
        self._refused: set[str] = set()
        self._alerts = Alerts()
        self._drops = Drops(self.path)
        # Re-entrant: a signal handler may finish the board that is being finished.
        self._finish_lock = threading.RLock()
        self._console: ConsoleCapture | None = None
        try:
            shard = self._open_shard()
        except BaseException:  # also a Ctrl-C: whoever tries again must not be kept out by a lock of ours
            if self._lock is not None:
                self._lock.release()
            raise
        self._shard: Shard | ForkedShard | ClosedShard | LateCalls = shard
        self._copies: Copies = CudaCopies()
        self._late = LateCalls(self._replace_shard, self._failed)
        self.config.preset(taken.config)
        self.summary.preset(taken.summary)
        self._write_start(
            {
                # A run that is continued keeps its name, unless another is given.
                "name": text_of(name),
                "group": text_of(group),
                "notes": text_of(notes),
                "tags": words([] if tags is None else tags),
                "config": masked(self.config.preset(config or {})),
                "attempt": taken.attempt,
                "at_step": fork.step if fork is not None and at_step is None else at_step,
                "fork_from": fork.plain() if fork is not None else None,
            }
        )
        self._supervisor = Supervisor(self.path, shard.directory, self._settings.environment(), self._move_on)
        if capture_output:
            self._console = self._capture_console(capture_output)
        # A strong reference: a board that the program lost sight of is finished all the same.
        atexit.register(self._finish_at_exit)
        self._go_live()
        if not taken.continued:
            say(f"{self.name} → {self.path}  (view: kobo open {root})")

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **values: Any
    ) -> None:
        """Log scalars and rich values, all at one step.

        Args:
            metrics: Names and values; names may hold "/" to group them.
            step: Any integer, in any order. Without it: the step that `step()` moved to, or, when that was never
                called, one more than the highest step so far.
            values: More names and values.

        Values are Python or NumPy numbers, bools, tensors or arrays of one element, strings, figures, images of Pillow,
        Histogram, KernelDensity, Figure, Media, Table, Tensor, Text, and lists of these. A CUDA tensor is copied as it
        is now, without waiting for the device; the call reaches the journal when the copy is done, and calls behind it
        wait for that. What cannot be logged is refused in one warning for each name, and the rest is logged. Raises
        BoardClosedError after `finish()`, and nothing else.
        """
        if metrics is not None:
            values = self._merged(metrics, values) if values else metrics  # type: ignore[assignment]
        try:
            if step is None:
                if self._stepping:
                    step = self._step
                else:
                    step = self._next_step
                    self._next_step = step + 1
            else:
                if type(step) is not int:
                    step = self._valid_step(step)
                if HIGHEST_STEP > step >= self._next_step:
                    self._next_step = step + 1
            # A sum of floats and ints is a float; with a tensor, an array or a Histogram among them it is not.
            # Five times quicker than asking each for its type, and no value is converted in vain.
            if type(sum(values.values(), 0.0)) is float:
                self._shard.row(step, values)
                return
        except BoardClosedError:
            raise
        except Exception:  # noqa: BLE001  (the boundary: what is wrong is found, value by value, below)
            pass
        self._log_each(values, step)

    @property
    def holds_anything(self) -> bool:
        """Tell whether the run was there before, or anything was logged to it, or changed of config and summary."""
        logged = self._stepping or self._next_step != self._first_step
        return self._is_continued or self._has_changed or logged

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status, reason = end_of(error, self._under_way)
        self.finish(status, error=reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self._shareable(), self.closed, dict(self.config), dict(self.summary))

    def __copy__(self) -> Board:
        return self

    def __deepcopy__(self, memo: Any) -> Board:
        # As a file would be, were it copied with a config or a model that holds it.
        return self

    def __repr__(self) -> str:
        return f"Board(name={self.name!r}, id={self.id!r}, path={str(self.path)!r})"

    def _merged(self, metrics: Any, values: dict[str, Any]) -> dict[str, Any]:
        try:
            return {**metrics, **values}
        except Exception:  # noqa: BLE001  (the boundary: the dict is the user's, and may be no dict)
            self._refuse("log", f"log() takes a dict of names and values, not {type(metrics).__name__}")
            return values

    def _write_start(self, given: Mapping[str, Any]) -> None:
        process: dict[str, Any] = {}
        if self._settings.capture_environment:
            process = {"executable": sys.executable, "cwd": _cwd(), "pid": self._pid}
            process["argv"] = masked_arguments([text_of(argument) or "" for argument in sys.argv])
        self._start: dict[str, Any] = {
            "type": "start",
            "run_id": self.id,
            "default_name": self.name,
            "project": self.project,
            "process": plain(process),
            **given,
        }
        self._write_event(self._start)

    def _capture_console(self, how: CaptureOutput) -> ConsoleCapture | None:
        try:
            console = ConsoleCapture(console_path(self.path, self.rank), descriptors=how != "python")
        except OSError as exc:
            self._refuse("console", f"what is printed is not copied to {self.path}: {exc}")
            return None
        if how == "fd" and not console.has_descriptors:
            self._refuse(
                "console", "only what Python prints is kept: descriptors cannot be redirected safely here"
            )
        return console


# Pickles name this function by its place.
def _unpickled(
    kind: type[Board], state: dict[str, Any], closed: bool, config: dict[str, Any], summary: dict[str, Any]
) -> Board:
    """Return the board of a pickle: the one it was made from where that is in this process, else one as in a child."""
    known = (board for board in live_boards() if board.path == state["path"] and type(board) is kind)
    if closed or (board := next(known, None)) is None:
        board = kind.__new__(kind)
        board._become_child(state, closed)
        board.config.preset(config)
        board.summary.preset(summary)
    return board


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
