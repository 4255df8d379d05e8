"""Start the background writer, start another when it dies, and tell it when the board is finished.

The writer is a separate interpreter in a session of its own, so that neither Ctrl-C nor the end of the trainer's
terminal reaches it. It is never a `multiprocessing` child, which would run the user's script again. It holds the
reading end of a pipe: "f" means that the board is finished, "e" that the trainer is at its exit, the end of the stream
that the trainer is gone. A pidfd of the trainer tells it the exit code, which nobody knows before.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from ..journal.directory import name_on_its_way_out
from ..journal.process import HELD_EXIT_CODE

__all__ = ["Supervisor", "writer_environment"]

log = logging.getLogger("kohakuboard")

PACKAGE_PARENT: Final = Path(__file__).resolve().parents[2]
FIRST_BACKOFF_S: Final = 0.2
LONGEST_BACKOFF_S: Final = 60.0
QUICK_DEATH_S: Final = 10.0
WARN_AFTER_DEATHS: Final = 3


def writer_environment() -> dict[str, str]:
    """Return the environment of a writer: few threads, so that it does not compete with training, and little said."""
    environment = dict(os.environ)
    environment.update(
        LANCE_CPU_THREADS="2",
        LANCE_LOG="error",
        # With these the peak is 200-225 MB instead of 215-290: what a flush or merge took is given back.
        ARROW_DEFAULT_MEMORY_POOL="system",
        MALLOC_ARENA_MAX="2",
        MALLOC_TRIM_THRESHOLD_=str(16 << 20),
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        # The writer starts in the run directory; a file of the user's called types.py must not be imported.
        PYTHONSAFEPATH="1",
    )
    # LANCE_IO_THREADS=1 deadlocks the first append.
    environment.pop("LANCE_IO_THREADS", None)
    if PACKAGE_PARENT.name not in ("site-packages", "dist-packages"):
        paths = [environment.get("PYTHONPATH", ""), str(PACKAGE_PARENT)]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _writer_log(run_directory: Path) -> IO[bytes]:
    """Open writer.log, or nothing at all: a full or read-only disk must not keep a writer from its work."""
    try:
        return open(run_directory / "writer.log", "ab")
    except FileNotFoundError:
        raise  # the run is gone
    except OSError:
        return open(os.devnull, "ab")


def start_writer(run_directory: Path, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a writer for a run; returns within a few milliseconds. Its stdin is the pipe described above.

    `settings` are variables for its environment.
    """
    with _writer_log(run_directory) as output, _own_pidfd() as pidfds:
        trainer = [str(number) for number in (os.getpid(), *pidfds)]
        return subprocess.Popen(
            [sys.executable, "-m", "kohakuboard.writer", str(run_directory), *trainer],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=run_directory,
            env={**writer_environment(), **settings},
            bufsize=0,
            pass_fds=pidfds,
            **_detached(),
        )


@contextmanager
def _own_pidfd() -> Iterator[tuple[int, ...]]:
    """Hold a pidfd of this process; none where there are none. Opened here, it is of no other of the same number."""
    try:
        pidfd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError):  # not Linux, an older one, or one that forbids it
        yield ()
        return
    try:
        yield (pidfd,)
    finally:
        os.close(pidfd)


class Supervisor:
    """Keep a writer running for a run until it has written everything.

    A daemon thread waits for the writer's end, which costs nothing, and starts another one after a crash; the pause
    between two starts doubles up to LONGEST_BACKOFF_S.

    Args:
        run_directory: Of the run.
        shard: The directory that the writer removes at the end.
        settings: Variables for the writer's environment.
        on_deleted: Called when there is no run directory any more, to make it again.

    """

    def __init__(
        self,
        run_directory: Path,
        shard: Path,
        settings: Mapping[str, str],
        on_deleted: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_directory = run_directory
        self._shard = shard
        self._settings = settings
        self._on_deleted = on_deleted
        self._failure = ""
        self._warned = False
        self.gave_up = False
        self._finishing = threading.Event()
        self._abandoned = threading.Event()
        self._farewell = b"f"
        self._lock = threading.Lock()
        self._writer: subprocess.Popen[bytes] | None = None
        self._start()
        self._thread: threading.Thread | None = threading.Thread(
            target=self._watch, name="kohakuboard-supervisor", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as exc:  # there is no room for another thread
            self._thread = None
            log.warning("nobody watches the background writer of %s (%s)", run_directory, exc)

    @property
    def writer_pid(self) -> int | None:
        """Return the process id of the current writer, None between two."""
        writer = self._writer
        return writer.pid if writer is not None else None

    def finish(self, timeout_s: float, waiting: Any = None, *, exiting: bool = False) -> bool:
        """Tell the writer to write all and end; True when it did within `timeout_s`.

        `waiting` is called once, after 2 s, if it has not ended by then. `exiting`: the interpreter is at its exit, and
        the writer stays to see how; all that is waited for is that everything is written.
        """
        with self._lock:
            self._farewell = b"e" if exiting else b"f"
            self._finishing.set()
            self._take_leave()
        done = self._wait(min(2.0, timeout_s))
        if not done and timeout_s > 2.0:
            if waiting is not None:
                waiting()
            done = self._wait(timeout_s - 2.0)
        if exiting or not done:
            self._abandoned.set()
        if exiting and self._writer is not None:
            self._writer.returncode = 0  # it outlives us: no warning about that at the interpreter's end
        return done

    def detach_in_child(self) -> None:
        """Let go of the parent's writer in a forked child: its pipe must close when the parent ends, not with us."""
        writer = self._writer
        if writer is not None and writer.stdin is not None:
            # The file object, not its number: that may soon be another file's, which the object would close.
            with suppress(OSError):
                writer.stdin.close()
            writer.returncode = 0  # it is not our child: no wait, no warning when it is collected

    def _start(self) -> None:
        try:
            self._writer = start_writer(self._run_directory, self._settings)
        except OSError as exc:
            self._writer = None
            self._failure = f"it cannot be started: {exc}"

    def _watch(self) -> None:
        deaths, backoff_s = 0, FIRST_BACKOFF_S
        while True:
            started = time.monotonic()
            returncode = _exit_code(self._writer) if self._writer is not None else None
            if returncode == 0 or self._abandoned.is_set() or self._is_all_written():
                return
            if self._writer is not None:
                self._failure = f"it keeps ending, the last time with exit code {returncode}"
            quick = time.monotonic() - started < QUICK_DEATH_S
            deaths, backoff_s = (
                (deaths + 1, min(backoff_s * 2, LONGEST_BACKOFF_S)) if quick else (1, FIRST_BACKOFF_S)
            )
            self._warned = self._warned and quick
            if deaths == WARN_AFTER_DEATHS:
                self._warn()
            if self._finishing.is_set() and (returncode == HELD_EXIT_CODE or deaths > WARN_AFTER_DEATHS):
                self.gave_up = True
                return
            # Whoever finishes the board ends the pause, which may be a long one; the short ones after that are kept.
            (self._abandoned if self._finishing.is_set() else self._finishing).wait(backoff_s / 2)
            if not self._run_directory.is_dir() and not self._finishing.is_set():
                self._on_deleted()
            self._restart()

    def _wait(self, timeout_s: float) -> bool:
        """Wait for the writer's end, at the trainer's exit for the shard's; True when it came."""
        thread = self._thread
        if thread is None:
            return False
        if self._farewell == b"f":
            thread.join(timeout_s)
            return not thread.is_alive()
        deadline = time.monotonic() + timeout_s
        while thread.is_alive() and self._shard.exists():
            if time.monotonic() >= deadline:
                return False
            thread.join(0.005)
        return True

    def _take_leave(self) -> None:
        pipe = self._writer.stdin if self._writer is not None else None
        if pipe is None or pipe.closed:
            return
        if self._farewell == b"e":
            # Its end is the first sign that the trainer is gone, so it stays open, by a number that nobody closes.
            with suppress(OSError):
                os.dup(pipe.fileno())
        _tell(pipe, self._farewell)

    def _is_all_written(self) -> bool:
        """Tell whether a writer has come to its end, whatever its exit code: all is stored, and the shard deleted."""
        names = (self._shard, name_on_its_way_out(self._shard))
        return self._finishing.is_set() and not any(name.exists() for name in names)

    def _restart(self) -> None:
        with self._lock:
            if self._writer is not None and self._writer.stdin is not None:
                self._writer.stdin.close()
            self._start()
            if self._finishing.is_set():
                self._take_leave()

    def _warn(self) -> None:
        if self._warned:
            return
        self._warned = True
        log.warning(
            "the background writer of %s is not at work (%s; its words are in writer.log there); everything logged "
            "is safe in the journal, another writer is tried again and again, and `kobo recover` stores it later",
            self._run_directory,
            self._failure,
        )


def _exit_code(writer: subprocess.Popen[bytes]) -> int | None:
    """Wait for the end of a writer; None when how it ended cannot be known.

    Popen takes a child that somebody else waited for, or that the kernel reaped because the program ignores SIGCHLD,
    for one that ended well.
    """
    if sys.platform != "win32" and hasattr(os, "waitid"):
        try:
            os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            writer.wait()
            return None
    return writer.wait()


def _tell(pipe: IO[bytes], message: bytes) -> None:
    try:
        pipe.write(message)
        pipe.close()
    except OSError:
        return  # the writer is gone already; whoever watches it sees that
