"""The writer's main loop: read the journal, commit now and then, end when told or when the trainer is gone.

When it commits, pace.py says.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import RunBusyError
from ..journal.directory import process_has_shard, shard_directories, shard_identity
from ..journal.lock import FileLock
from ..journal.process import HEARTBEAT_S, HELD_EXIT_CODE, host_name, is_alive
from ..journal.settings import settings
from ..journal.webhook import take_webhook
from .alerts import AlertDesk
from .conclusion import correct_status, wait_until_ended
from .description import Description
from .durability import JournalSync
from .hold import Hold, RunDeletedError
from .pace import Pace
from .priority import keep_up, step_back
from .sampler import SAMPLES_AGE_S, Sampler
from .spent import remove_journal
from .trainer import Trainer

if TYPE_CHECKING:
    from .drain import Drain

__all__ = ["main", "recover_run"]

log = logging.getLogger("kohakuboard.writer")

POLL_S: Final = 0.5
# After a flush, for summaries that must be made anew. The journal waits meanwhile.
RENEWAL_S: Final = 1.0
# How long a writer whose trainer has ended waits for another's lock.
HANDOVER_S: Final = 10.0
# How long a process that was killed may still keep its lock: a thread that waits for the disk dies after its answer.
DYING_S: Final = 10.0
# The kernel closes a dying process's pipes a moment before the process is gone.
DEATH_GRACE_S: Final = 5.0
MOST_OPEN_FILES: Final = 4096
DELETED_EXIT_CODE: Final = 1


def main(run: Path, trainer_pid: int | None = None, trainer_pidfd: int | None = None) -> int:
    """Serve one run until its trainer is done; return the exit code."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    # Before this thread steps back: the one that hears of the trainer's end has to look before the trainer is reaped.
    trainer = Trainer(trainer_pid, trainer_pidfd)
    step_back()
    _allow_open_files()
    webhook = take_webhook()
    lock = _writer_lock(run)
    if not _acquire(lock, trainer, run / "journal"):
        log.info("another writer holds the run; it, or who comes next, writes what this trainer left")
        if trainer.exiting:
            _follow_exit(run, trainer)
        return 0
    log.info("writer %d takes %s", os.getpid(), run)
    hold = Hold(trainer)
    desk = AlertDesk(run, webhook)
    try:
        chosen = settings()
        with (
            JournalSync(run, chosen.sync_every_s) as sync,
            Sampler(run, chosen.system_metrics_every_s) as sampler,
        ):
            stored = hold.through(lambda: _serve(run, trainer, lock, hold, sync, sampler, desk))
    except RunDeletedError:
        log.warning("the run was deleted; writer %d ends", os.getpid())
        return DELETED_EXIT_CODE
    finally:
        lock.release()
    desk.close()
    if not stored:
        log.warning("the rest stays in the journal; `kobo recover` stores it")
        return HELD_EXIT_CODE
    if trainer.exiting:
        _follow_exit(run, trainer)
    log.info("writer %d ends: the trainer %s", os.getpid(), "finished" if trainer.finished else "is gone")
    return 0


def _allow_open_files() -> None:
    """Undo the trainer's limit of open files, which is about files of its own."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (ImportError, OSError, ValueError):
        return  # Windows has none; elsewhere it stays as it is


def _writer_lock(run: Path) -> FileLock:
    """Return the lock that lets one process on this machine write to a run's stores."""
    return FileLock(run / f".writer-{host_name()}.lock")


def _acquire(lock: FileLock, trainer: Trainer, journal: Path) -> bool:
    """Wait for the lock while the trainer lives, and a little longer: its holder may have looked for the last time.

    Not when the holder, the writer of another rank, has stored all that the trainer logged.
    """
    deadline = float("inf")
    while not lock.acquire():
        if trainer.wait(POLL_S):
            if not process_has_shard(journal, trainer.pid):
                return False
            deadline = min(deadline, time.monotonic() + HANDOVER_S)
            time.sleep(0.05)
        if time.monotonic() > deadline:
            return False
    return True


def _serve(
    run: Path,
    trainer: Trainer,
    lock: FileLock,
    hold: Hold,
    sync: JournalSync,
    sampler: Sampler,
    desk: AlertDesk,
) -> None:
    # Here, not at the top: importing lance takes 0.3 s, in which the lock is already held.
    from .drain import Drain

    with closing(Drain(run, host_name(), sends_alerts=desk.sends)) as drain:
        gc.freeze()  # what imports made stays; to look for garbage then takes less than a millisecond
        _drain(drain, trainer, lock, hold, sync, sampler, desk)
        desk.dispatch(drain.catalogue)
        _conclude(drain, run, DEATH_GRACE_S, trainer)


def _drain(
    drain: Drain,
    trainer: Trainer,
    lock: FileLock,
    hold: Hold,
    sync: JournalSync,
    sampler: Sampler,
    desk: AlertDesk,
) -> None:
    """Store what comes until the trainer is done, and all that is left then."""
    last_heartbeat = -HEARTBEAT_S
    pace, last_samples = Pace(), time.monotonic()
    description = Description(drain.catalogue, trainer)
    over = False
    while not over:
        over = trainer.wait(0 if pace.is_full(drain) else POLL_S)
        if over:
            keep_up()
        if not lock.is_in_place():
            raise RunDeletedError
        drain.poll()
        sync.note(drain.grown)
        now = time.monotonic()
        samples = drain.has_pending_samples and now - last_samples >= SAMPLES_AGE_S
        if not drain.has_pending and not samples:
            if description.begun:
                pace.nothing_waits()
        elif samples or pace.is_time(drain, over=over):
            drain.flush(samples=samples)
            last_samples = now if samples else last_samples
            description.begin()
            sampler.watch(drain.trainer_pids(), drain.catalogue.run()["started_us"])
            hold.stored()
            drain.renew_summaries(RENEWAL_S)
            _maintain(drain)
            drain.delete_finished_shards(but_of=trainer.pid)
            # By itself the collector would come once in hours.
            gc.collect()
            pace.flushed(now)
        desk.dispatch(drain.catalogue)
        if now - last_heartbeat >= HEARTBEAT_S:
            with drain.catalogue.transaction():
                drain.catalogue.beat(host_name())
            last_heartbeat = now
        description.note()
    sampler.close()
    drain.exhaust()
    description.note(last=True)


def _maintain(drain: Drain, *, final: bool = False) -> None:
    try:
        drain.maintain(final=final)
    except (OSError, RuntimeError, ValueError) as exc:  # what Lance raises, by its kind of failure
        # Merging needs room that a full disk has not; what is stored is whole, only not as compact as it could be.
        log.warning("maintenance is put off: %s", exc)


def _conclude(drain: Drain, run: Path, grace_s: float, trainer: Trainer | None = None) -> None:
    """Write the true status and leave the run as it is kept."""
    ended = wait_until_ended(drain, run, grace_s, trainer)
    drain.renew_summaries()
    if ended:
        _maintain(drain, final=True)
        drain.retire_ended_shards()
    drain.close(single_file=ended)


def _follow_exit(run: Path, trainer: Trainer) -> None:
    """Wait until a trainer that is at its exit is gone; write what its children logged last, and how it ended."""
    trainer.wait_until_gone()
    try:
        with suppress(RunBusyError):  # whoever works on it writes that, too
            recover_run(run)
    finally:
        correct_status(run, trainer)


def recover_run(run: Path) -> bool:
    """Drain the journal of a run that nobody writes to, in this process; True when there was anything to do."""
    from ..storage.database import is_damaged

    directories = shard_directories(run / "journal")
    if not directories and not is_damaged(run / "run.db"):
        return remove_journal(run / "journal")
    from .drain import Drain, may_drain

    identities = [identity for one in directories if (identity := shard_identity(one)) is not None]
    lock = _writer_lock(run)
    if identities and not any(may_drain(run, one) for one in identities):
        raise RunBusyError(run)
    # A process that was killed keeps its locks until the last of its threads is gone, and seems to live until then:
    # so a machine's shard, which is a writer's, says nothing.
    alive = any(is_alive(one.host, one.pid, one.process_start) for one in identities if one.rank >= 0)
    deadline = time.monotonic() + (0.0 if alive else DYING_S)
    while not lock.acquire():
        if time.monotonic() >= deadline:
            raise RunBusyError(run)
        time.sleep(0.02)
    try:
        with closing(Drain(run, host_name())) as drain:
            drain.exhaust()
            _conclude(drain, run, 0.0)
    finally:
        lock.release()
    return True
