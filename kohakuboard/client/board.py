"""The object that users log to.

    board.log(loss=0.5)  ->  journal (mapped memory)  ->  [another process] writer -> Lance, SQLite, media files

`log` is built for the common call, floats under known names: two tests and one append. Everything else (tensors,
histograms, refusals) takes `_log_each`. One promise is kept here for all of training: no failure of the logger gets
out of a board. What does are two mistakes in the caller's program: the use of a closed board (BoardClosedError), and a
`step(n)` whose n is no integer (InvalidStepError).
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import index
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from ..errors import BoardClosedError, InvalidStepError
from ..journal.console import console_path
from ..journal.process import host_name
from ..journal.settings import settings
from ..journal.shard import Shard
from ..journal.stage import StagingError
from ..journal.written import open_shard
from ..masking import masked, masked_arguments
from .alerts import Alerts
from .artifacts import UnusableArtifactError, artifact_event, find_artifact, use_event
from .calls import HIGHEST_STEP, Calls
from .console import CaptureOutput, ConsoleCapture
from .cuda import CudaCopies
from .device import Copies, LateCalls
from .drops import Drops
from .ending import end_of, error_text, is_in_kernel, uncaught_error
from .mappings import LoggedMapping
from .names import directory_name, new_run_id, random_name
from .plain import INT64, describe, plain, text_of, words
from .rank import process_rank
from .shortcuts import Shortcuts
from .stand_ins import ClosedShard, ForkedShard
from .supervisor import Supervisor
from .takeover import Resume, fork_of, resume_setting, step_of_checkpoint, take_up, valid_rank
from .values import type_name, whole_number
from .watch import Watching

if TYPE_CHECKING:
    from ..reader import ArtifactVersion

__all__ = ["DEFAULT_ROOT", "Board", "default_root", "open_boards"]

log = logging.getLogger("kohakuboard")

DEFAULT_ROOT: Final = "kohakuboard"
FINISH_TIMEOUT_S: Final = 30.0
DEVICE_TIMEOUT_S: Final = 30.0
LOWEST_STEP: Final = -(2**63)

# What of a board is not another process's.
_OF_THE_PROCESS: Final = {
    "config", "summary", "_appending", "_console", "_copies", "_drops", "_finish_lock", "_late", "_lock", "_pid",
    "_shard", "_supervisor", "_watches", "log",
}  # fmt: skip
_NOBODY: Final = -1
# The boards that a fork must make safe: os.register_at_fork has no way to unregister, so it is done once.
_live: weakref.WeakSet[Board] = weakref.WeakSet()
_numbers = itertools.count()


def default_root() -> Path:
    """Return where runs lie when nothing else is said: $KOHAKUBOARD_DIR, else ./kohakuboard."""
    return Path(os.environ.get("KOHAKUBOARD_DIR") or DEFAULT_ROOT)


class Board(Calls, Shortcuts, Watching):
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
        owner = _board_of(path, self.rank) if given_id else None
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
            _say(f"{self.name} → {self.path}  (view: kobo open {root})")

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

    def step(self, n: int = 1) -> None:
        """Move the step by `n`. It starts at 0; all that is logged until the next call belongs to it.

        It stops at the ends of a 64-bit integer. Raises InvalidStepError when `n` is no integer.
        """
        try:
            moved = index(n)
        except Exception:  # noqa: BLE001  (a user's own __index__ may raise anything)
            raise InvalidStepError(n) from None
        if not self._stepping:
            self._stepping = True
            self._step = max(self._next_step - 1, 0)
        self._step = min(max(self._step + moved, LOWEST_STEP), HIGHEST_STEP)

    def add_tags(self, *tags: str) -> None:
        """Add words to find the run by."""
        added = words(tags)
        self._start["tags"] += added
        self._write_event({"type": "tags", "add": added})

    def alert(
        self,
        title: str,
        text: str = "",
        level: Literal["info", "warning", "error"] = "info",
        *,
        wait_s: float = 0.0,
    ) -> None:
        """Alert people: the run's page shows it, and a webhook gets it where one is configured.

        It is stored like all that is logged, once and in order. It is sent by the background writer, at least once, and
        given up after three tries; see `Board(webhook=…)`. Raises BoardClosedError after `finish()`, and nothing else.

        Args:
            title: What happened, in a few words; cut at 300 characters.
            text: More about it; cut at 10 000 characters.
            level: How bad it is.
            wait_s: Leave out an alert whose title was used less than so many seconds ago by this process.
        """
        if event := self._alerts.event(title, text, level, wait_s, self._event_step(), self._refuse):
            self._write_event(event)

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        type: str = "artifact",  # noqa: A002
        aliases: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        reference: bool = False,
    ) -> None:
        """Keep a file or a directory as a version of an artifact: a checkpoint, a dataset.

        Versions are numbered v0, v1 … within the project, over all of its runs; the same content is the same version,
        and only gets the new aliases. `latest` is the one that was logged last.

        When this returns the files may be changed or deleted: they were copied, which takes as long as `cp`, and no
        time at all on btrfs and XFS. With `reference` nothing is copied: path, size, time and checksum are kept, and
        the files must stay as they are. Hashing is done by the background writer.

        What cannot be logged is refused whole, in one warning that names the path. Raises BoardClosedError after
        `finish()`, and nothing else.

        Args:
            path: The file or directory. Links are followed.
            name: What it is asked for by, without "/" and ":"; by default the path's last part.
            type: What it is, such as model or dataset.
            aliases: More names for this version; each stands for the version that got it last, such as "best".
            metadata: More about it, of any shape and types.
            reference: Whether to keep where it is instead of a copy.
        """
        try:
            event = artifact_event(
                path,
                name,
                type,
                aliases,
                metadata,
                reference=reference,
                run=self.path,
                stage=lambda: self._shard.stage,
                step=self._event_step(),
                complain=self._refuse,
            )
        except BoardClosedError:
            raise
        except UnusableArtifactError as exc:
            self._refuse(f"artifact {exc}", f"the artifact was not logged: {exc}")
        except StagingError as exc:
            self._drops.add(self._event_step(), exc, values=1)
        except Exception as exc:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("artifact", f"the artifact {describe(path)} was not logged: {describe(exc)}")
        else:
            self._write_event(event)

    def use_artifact(self, name: str) -> ArtifactVersion:
        """Return a version of an artifact, whose `path` can be read, and note that this run used it.

        "model" and "model:latest" are the version that a run of this project logged last, "model:v3" is one by its
        number, "model:best" by an alias. "run id/model:best" looks in one run only, "project/model:best" and
        "project/run id/model:best" in another project. What this run has just logged is waited for. Raises
        ArtifactNotFoundError, and BoardClosedError after `finish()`.
        """
        if self.closed:
            raise BoardClosedError(self.name)
        version = find_artifact(self.path, name)
        self._write_event(use_event(version, name, self._event_step()))
        return version

    @property
    def under_way(self) -> str | None:
        """What the program is to bring to its end, such as a training; set it to None when that has come.

        A program that ends before, even with exit code 0, leaves the run `interrupted` instead of finished.
        """
        return self._under_way

    @under_way.setter
    def under_way(self, what: str | None) -> None:
        self._under_way = text_of(what)
        self._write_event({"type": "under_way", "what": self._under_way})

    @property
    def closed(self) -> bool:
        """Tell whether the board was finished."""
        return isinstance(self._shard, ClosedShard)

    @property
    def holds_anything(self) -> bool:
        """Tell whether the run was there before, or anything was logged to it, or changed of config and summary."""
        logged = self._stepping or self._next_step != self._first_step
        return self._is_continued or self._has_changed or logged

    def finish(
        self,
        status: str = "finished",
        *,
        error: str | BaseException | None = None,
        timeout_s: float = FINISH_TIMEOUT_S,
    ) -> None:
        """End the run with a status; a second call does nothing.

        Everything logged is safe before this is called, except for what is still on its way from a GPU, for which it
        waits up to DEVICE_TIMEOUT_S. Then it waits up to `timeout_s` for the writer to put it into its final form,
        with a line of progress after 2 s, and leaves the writer to end by itself.

        Args:
            status: finished, failed, interrupted, killed or preempted.
            error: The traceback, reason or exception, for a run that failed.
            timeout_s: The longest wait, in seconds.
        """
        self._end(text_of(status) or "finished", error_text(error), timeout_s)

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

    def _end(
        self,
        status: str,
        error: str | None,
        timeout_s: float,
        *,
        exiting: bool = False,
        left: str | None = None,
    ) -> None:
        with self._finish_lock:
            if self.closed or os.getpid() != self._pid:
                return
            if given_up := self._late.stop(DEVICE_TIMEOUT_S):
                log.warning(
                    "%d calls of %s were lost: their values never came from the device", given_up, self.path
                )
            self._write_finish({"type": "finish", "status": status, "error": error, "under_way": left})
            shard, self._shard = self._shard, ClosedShard(self.name)
            self.unwatch()
            shard.close()
            self._drops.sum_up()
            if self._lock is not None:
                self._lock.release()
            atexit.unregister(self._finish_at_exit)
            _live.discard(self)
            if self._console is not None:
                self._console.stop()
            self._await_writer(timeout_s, exiting)

    def _failed(self, error: Exception) -> None:
        """Note that a call could not be appended."""
        if isinstance(error, OSError):
            self._drops.add(self._event_step(), error, calls=1)
        else:
            text = "".join(traceback.format_exception(error))
            self._refuse("log", f"this call could not be logged:\n{text}")

    def _replace_shard(self, old: Any, new: Any) -> None:
        if self._shard is old:
            self._shard = new

    def _merged(self, metrics: Any, values: dict[str, Any]) -> dict[str, Any]:
        try:
            return {**metrics, **values}
        except Exception:  # noqa: BLE001  (the boundary: the dict is the user's, and may be no dict)
            self._refuse("log", f"log() takes a dict of names and values, not {type(metrics).__name__}")
            return values

    def _valid_step(self, step: Any) -> int:
        number = whole_number(step)
        if number is not None and number in INT64:
            return number
        used = self._step if self._stepping else min(self._next_step, HIGHEST_STEP)
        self._refuse(
            "step", f"step={describe(step)} ({type_name(step)}) is no 64-bit integer; step {used} was used"
        )
        return used

    def _refuse(self, key: str, message: str) -> None:
        """Warn once for each key. Through logging: a warning can be made an error, and would end training."""
        if key not in self._refused:
            self._refused.add(key)
            log.warning("%s", message)

    def _event(self, kind: str, changed: dict[str, Any], removed: list[str]) -> None:
        self._has_changed = True
        self._write_event({"type": kind, "set": changed, "remove": removed})

    def _write_event(self, event: dict[str, Any]) -> None:
        try:
            self._shard.event(self._event_step(), event)
        except BoardClosedError:
            raise
        except (OSError, MemoryError) as exc:
            self._drops.hold(self._event_step(), event, exc)
        except Exception:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("event", f"a {event['type']} could not be noted:\n{traceback.format_exc()}")

    def _make_mappings(self) -> None:
        self.config = LoggedMapping(lambda changed, removed: self._event("config", masked(changed), removed))
        self.summary = LoggedMapping(lambda changed, removed: self._event("summary", changed, removed))

    def _write_finish(self, event: dict[str, Any]) -> None:
        """Write the last events, also where the journal cannot grow any more."""
        try:
            self._move_on()
            self._drops.finish(self._appending, self._event_step(), event)
        except Exception:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("finish", f"the end could not be noted:\n{traceback.format_exc()}")

    def _event_step(self) -> int:
        return self._step if self._stepping else min(max(self._next_step - 1, 0), HIGHEST_STEP)

    def _move_on(self) -> None:
        """Go on in a directory made anew, when somebody deleted that of the run."""
        if not self._appending.directory.is_dir():
            with suppress(OSError):
                self._appending.move_on()

    def _after_gap(self, shard: Shard, remade: bool) -> None:
        """Write what the journal lacks: who we are, if it was deleted, and what could not be noted meanwhile."""
        try:
            if remade and os.getpid() == self._pid:
                self._drops.tell_of_deletion()
                shard.event(self._event_step(), {**self._start, "config": masked(dict(self.config))})
                shard.event(self._event_step(), {"type": "summary", "set": dict(self.summary), "remove": []})
                if self._console is not None:
                    with suppress(OSError):
                        self._console.reopen()
            self._drops.note(shard, self._event_step())
        except Exception:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("gap", f"a gap could not be noted:\n{traceback.format_exc()}")

    def _open_shard(self) -> Shard:
        shard = open_shard(
            self.path / "journal",
            rank=self.rank,
            host=host_name(),
            parent=self._lineage,
            way=self._settings.journal,
            limit_bytes=self._settings.journal_limit_bytes,
        )
        # Its children's shards will name it, and inherit this by a fork or in a pickle.
        self._lineage = shard.identity.shard
        shard.on_gap = lambda remade: self._after_gap(shard, remade)
        self._appending = shard
        return shard

    def _open_shard_in_child(self) -> Shard:
        # Where a pickle was sent to, there may be no such directory, and no run is to begin there.
        os.stat(self.path)
        return self._open_shard()

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

    def _await_writer(self, timeout_s: float, exiting: bool) -> None:
        def waiting() -> None:
            _say(f"{self.name}: writing what was logged …")

        if not self._supervisor.finish(timeout_s, waiting, exiting=exiting):
            if exiting and not timeout_s:
                return
            _say(f"{self.name}: the writer goes on in the background; the run can be opened meanwhile")
        elif self._supervisor.gave_up:
            log.warning(
                "what was logged to %s is safe in its journal and could not be stored (writer.log there says why); "
                "`kobo recover` stores it later",
                self.path,
            )

    def _finish_at_exit(self) -> None:
        error = uncaught_error()
        left = self._under_way if error is None else None
        # Who shuts a kernel down kills it after 2.5 s, and nobody waits for what comes after it.
        timeout_s = 0.0 if is_in_kernel() else FINISH_TIMEOUT_S
        # What sys.exit was given cannot be seen from here: the writer asks for the exit code when we are gone.
        self._end(*end_of(error, left), timeout_s, exiting=True, left=left)

    def _after_fork_in_child(self) -> None:
        """Become a board of the child: what it logs goes to a shard of its own, and it never ends the run."""
        self._finish_lock = threading.RLock()
        # The run is the parent's, and so is what is on its way from a device.
        if self._lock is not None:
            self._lock.release()
        self._late = LateCalls(self._replace_shard, self._failed)
        self._drops = Drops(self.path)
        self.unwatch()
        if not self.closed:
            self._shard = ForkedShard(self._open_shard_in_child, self._replace_shard)
        if self._pid != _NOBODY:
            self._supervisor.detach_in_child()

    def _go_live(self) -> None:
        self._number = next(_numbers)
        _live.add(self)

    def _join(self, owner: Board, config: Mapping[str, Any] | None) -> None:
        """Be one more handle of a run that another board of this process has open, and will end."""
        self._become_child(owner._shareable(), closed=False)
        self.config.preset(owner.config)
        self.summary.preset(owner.summary)
        self.config.update(config or {})

    def _shareable(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _OF_THE_PROCESS}

    def _become_child(self, state: dict[str, Any], closed: bool) -> None:
        """Be the board of another process in this one, as after a fork."""
        vars(self).update(state)
        self._pid = _NOBODY  # no process may end the run through it, and it has no supervisor
        self._finish_lock = threading.RLock()
        self._lock = None
        self._console = None
        self._copies = CudaCopies()
        self._drops = Drops(self.path)
        self._late = LateCalls(self._replace_shard, self._failed)
        self._shard = (
            ClosedShard(self.name) if closed else ForkedShard(self._open_shard_in_child, self._replace_shard)
        )
        self._make_mappings()
        self._go_live()


def open_boards() -> list[Board]:
    """Return the boards that are open in this process, the one that was opened last before the others.

    A parent's counts in its forked children. Further handles of a run, and those out of a pickle, do not: they end with
    no run, and so never.
    """
    known = (board for board in list(_live) if board._pid != _NOBODY and not board.closed)
    return sorted(known, key=lambda board: board._number, reverse=True)


def _board_of(path: Path, rank: int) -> Board | None:
    """Return the board of this process that has a run open as that rank, and will end it."""
    pid = os.getpid()
    open_boards = (b for b in list(_live) if (b.path, b.rank) == (path, rank) and not b.closed)
    return next((board for board in open_boards if board._pid == pid), None)


def _unpickled(
    kind: type[Board], state: dict[str, Any], closed: bool, config: dict[str, Any], summary: dict[str, Any]
) -> Board:
    """Return the board of a pickle: the one it was made from where that is in this process, else one as in a child."""
    known = (board for board in list(_live) if board.path == state["path"] and type(board) is kind)
    if closed or (board := next(known, None)) is None:
        board = kind.__new__(kind)
        board._become_child(state, closed)
        board.config.preset(config)
        board.summary.preset(summary)
    return board


def _say(message: str) -> None:
    # To stderr: what a script prints to stdout may be read by another program.
    try:
        print(f"kohakuboard: {message}", file=sys.stderr)  # noqa: T201  (the one place where people are told)
    except (OSError, ValueError):
        return  # stderr is closed, or its reader is


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _make_boards_safe_after_fork() -> None:
    for board in list(_live):
        board._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_make_boards_safe_after_fork)
