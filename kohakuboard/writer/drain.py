"""Move records from the journal into the stores, each exactly once.

A flush goes in this order, and each step is on the disk before the next begins:

    media, artifacts -> scalars (Lance) -> histograms (Lance) -> run.db, one transaction -> segments let go

A crash between two of them leaves the journal as it was, so the next writer reads the same records again. What a store
has already is left out: the Lance stores leave out what is not above their highest seq of a shard, run.db tells
`committed_seq`; media and artifacts are found by their hash, so storing them twice is storing them once. Records of one
call share one seq, and one flush ends at a record's end, so that no call is ever in by halves.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..journal.directory import segment_paths, shard_directories, shard_identity
from ..journal.filesystem import is_local
from ..journal.format import ShardIdentity
from ..journal.process import HEARTBEAT_S, host_name, is_alive
from ..journal.scan import Batch, ShardCursor, merge_events
from ..journal.settings import settings
from ..storage.alerts import WAITING
from ..storage.artifacts import StoredVersion
from ..storage.catalogue import Catalogue
from ..storage.claim import catalogue_path, give_up_claim, is_abandoned
from ..storage.scalars import ScalarColumn, ScalarStore
from .artifacts import ArtifactKeeper, parcel_of
from .events import EventStore
from .items import ItemStore
from .lineage import INHERITED, inherit, renew_summaries
from .restore import summaries
from .rich import Row
from .source import Source, staged_names
from .spent import Spent, remove_journal, remove_shard

__all__ = ["Drain", "may_drain"]

# Of a backlog no more than this is taken into memory at once.
READ_BYTES: Final = 8 << 20
# How old a shard is of which a killed process had not named the first segment.
NAMELESS_S: Final = 10.0
# Where segments go that could not be read to their end.
DAMAGED: Final = "damaged"


class Drain:
    """Read a run's journal and commit it. The caller holds the run's lock."""

    def __init__(
        self, run: Path, writer_name: str, *, read_bytes: int = READ_BYTES, sends_alerts: bool = False
    ) -> None:
        self.run = run
        self._alert_delivery = WAITING if sends_alerts else None
        self._read_bytes = read_bytes
        self.catalogue = Catalogue(catalogue_path(run, writer_name))
        self._events = EventStore(self.catalogue, self._alert_delivery)
        self._artifacts = ArtifactKeeper(run, self.catalogue.artifacts, self._show_life)
        self._versions: dict[int, StoredVersion] = {}
        self._shown_life = time.monotonic()
        self._scalars = ScalarStore(run / "scalars" / f"{writer_name}.lance")
        histograms = run / "histograms" / f"{writer_name}.lance"
        self._items = ItemStore(run, self.catalogue.path, histograms)
        self._is_restored = self.catalogue.is_new and bool(self._scalars.committed())
        self._note_damage(writer_name)
        self._sources: dict[str, Source] = {}
        self._retired: list[Path] = []
        self._spent = Spent(run, settings().journal_limit_bytes)
        self.grown: list[Path] = []
        self.last_record_us: int | None = None

    def exhaust(self) -> None:
        """Commit all that is in the journal now."""
        more = True
        while more:
            more = self.poll()
            self.flush()

    def poll(self) -> bool:
        """Read what was appended to the journal since the last call, up to a limit; True: there is more.

        `grown` are then the segments in which there was anything.
        """
        more = False
        self.grown = []
        self._spent.clear()
        for directory in shard_directories(self.run / "journal"):
            source = self._source(directory)
            if source is None:
                if directory not in self._retired and _is_headless(directory):
                    self._clear_away(directory)
                continue
            room = self._read_bytes - self.pending_bytes
            if room <= 0:
                return True
            batch = source.cursor.read(room)
            self.grown += source.cursor.grown
            if source.number < 0:
                self._introduce(source)
            self._keep_new(source, batch)
            more = more or batch.n_bytes >= room
        return more

    def _source(self, directory: Path) -> Source | None:
        """Return what reads a shard; None for one that the writer of another host, which lives, is there for."""
        source = self._sources.get(directory.name)
        if source is None and (identity := shard_identity(directory)) is not None:
            if not may_drain(self.run, identity):
                return None
            source = self._sources[directory.name] = Source(directory)
        return source

    @property
    def pending_bytes(self) -> int:
        """Return how much was read and is not committed."""
        return sum(source.pending.n_bytes for source in self._sources.values())

    @property
    def staged_bytes(self) -> int:
        """Return how much lies in staged files beside what was read and is not committed."""
        return sum(source.staged_bytes for source in self._sources.values())

    @property
    def has_rich(self) -> bool:
        """Tell whether there is a rich value that is not committed: no reader sees it before."""
        return any(source.pending.items for source in self._sources.values())

    @property
    def has_pending(self) -> bool:
        """Tell whether anything that a process logged was read and is not committed."""
        return any(source.is_pending and not source.is_of_machine for source in self._sources.values())

    @property
    def has_pending_samples(self) -> bool:
        """Tell whether samples of the machine were read that are not committed."""
        return any(source.is_pending and source.is_of_machine for source in self._sources.values())

    @property
    def has_pending_finish(self) -> bool:
        """Tell whether a process has finished, and that is not committed."""
        finished = (
            source for source in self._sources.values() if source.finished and not source.is_of_machine
        )
        return any(source.pending.last_seq >= 0 for source in finished)

    @property
    def has_urgent(self) -> bool:
        """Tell whether there is anything that somebody waits for: an alert to be sent, an artifact to be used."""
        urgent = {"artifact"} if self._alert_delivery is None else {"artifact", "alert"}
        return any(
            event.body["type"] in urgent
            for source in self._sources.values()
            for event in source.pending.events
        )

    def trainer_pids(self) -> frozenset[int]:
        """Return the numbers of the processes on this machine that have a board of the run open."""
        open_here = (one.cursor.identity for one in self._sources.values() if not one.finished)
        return frozenset(
            one.pid
            for one in open_here
            if one and one.rank >= 0 and not one.parent and one.host == host_name()
        )

    def flush(self, *, samples: bool = True) -> None:
        """Commit what was read, samples of the machine only if told; when it returns, all of that is on the disk."""
        ready = [
            source
            for source in self._sources.values()
            if source.is_pending and (samples or not source.is_of_machine)
        ]
        if not ready:
            self._adopt()
            return
        rows, unreadable = self._items.encode(ready)
        self._place_artifacts(ready, unreadable)
        self._store_scalars(ready)
        unreadable += self._items.append_histograms(ready)
        with self._artifacts.numbering(bool(self._versions)), self.catalogue.transaction():
            self._store_rows(ready, rows, unreadable)
        for source in ready:
            self._let_go(source)
        self._spent.clear()
        self._adopt()

    def _adopt(self) -> None:
        """Take the points of the run that this one was forked from, unless they are here; also after a crash."""
        if fork := self.catalogue.fork_to_adopt(INHERITED):
            inherit(self.run, self.catalogue, self._scalars, fork)

    def renew_summaries(self, budget_s: float = float("inf")) -> None:
        """Make the summaries anew that no longer fit what is shown of the run, as far as the time goes."""
        renew_summaries(self.run, self.catalogue, budget_s)

    def note_endings(self, endings: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Note how attempts ended whose processes are gone without a word: the attempt, and what to change of it."""
        for attempt, ending in endings:
            with self.catalogue.transaction():
                self.catalogue.end_attempt(attempt["shard"], **ending)

    def maintain(self, *, final: bool = False) -> None:
        """Merge small fragments and clean old versions, when it is time."""
        self._scalars.maintain(final=final)
        self._items.maintain(final=final)

    def delete_finished_shards(self, *, but_of: int) -> None:
        """Delete the shards of finished processes that are stored whole, but for those of one process."""
        for name, source in list(self._sources.items()):
            identity = source.cursor.identity
            if source.finished and source.pending.last_seq < 0 and identity and identity.pid != but_of:
                self._note_ending(self._sources.pop(name))
                remove_shard(source.directory)

    def retire_ended_shards(self) -> None:
        """Store what is left of the shards whose process will write no more; `close` deletes their directories."""
        # Found out before the last reading: what a process wrote before it ended is read then.
        ended = [name for name, source in self._sources.items() if source.has_ended()]
        self.exhaust()
        for name in ended:
            self._note_ending(self._sources[name])
        self._retired += [self._sources.pop(name).directory for name in ended]

    def close(self, *, single_file: bool = False) -> None:
        """Close the stores, and then delete the retired shards: where a shard is gone, all is in its final form."""
        self._scalars.close()
        self._items.close()
        self.catalogue.close(single_file=single_file)
        if single_file:
            # Whoever continues the run, on whichever host, may have it.
            give_up_claim(self.catalogue.path, host_name())
        for directory in self._retired:
            remove_shard(directory)
        remove_journal(self.run / "journal")

    def _introduce(self, source: Source) -> None:
        identity = source.cursor.identity
        if identity is None:
            return
        source.number, source.stored = self.catalogue.shard(identity)
        if self._is_restored:
            source.summarised = self._scalars.committed().get(source.number, -1)

    def _note_damage(self, writer_name: str) -> None:
        """Note what was found damaged when the stores were opened; give a lost catalogue what Lance can tell."""
        problems = [*self.catalogue.problems, *self._items.check(), *self._scalars.problems]
        with self.catalogue.transaction():
            if self._is_restored:
                problems.append(
                    f"the database was lost; summaries were made anew from scalars/{writer_name}.lance"
                )
                known = summaries(self.run / "scalars", self._scalars.committed(), writer_name)
                for rank, metrics in known.items():
                    self.catalogue.restore_metrics(metrics, rank)
            self.catalogue.add_problems(time.time_ns() // 1000, problems)

    def _keep_new(self, source: Source, batch: Batch) -> None:
        for event in batch.events:
            source.finished = event.body["type"] == "finish"
        if batch.last_seq <= source.stored:
            # All stored before a crash; only the segments were not deleted yet.
            batch = Batch(damage=[damage for damage in batch.damage if damage.settled > source.stored])
        elif source.stored >= 0:
            batch.forget(source.stored)
        source.take(batch)
        if source.is_of_machine:
            return  # no sign of a trainer's life
        latest = [int(column.times[-1]) for column in batch.columns.values()]
        latest += [event.time_us for event in batch.events] + [item.time_us for item in batch.items]
        self.last_record_us = max([*latest, self.last_record_us or 0]) or None

    def _store_scalars(self, ready: list[Source]) -> None:
        columns = [
            ScalarColumn(name, source.number, *column)
            for source in ready
            for name, column in source.pending.columns.items()
        ]
        if columns:
            self._scalars.append(columns, {source.number: source.pending.last_seq for source in ready})

    def _place_artifacts(self, ready: list[Source], unreadable: list[str]) -> None:
        """Put the files of artifacts where they stay; what is to be noted is kept by the identity of its event."""
        self._versions = {}
        for source in ready:
            for event in source.pending.events:
                if event.body["type"] == "artifact":
                    try:
                        version = self._artifacts.prepare(event.body, source.directory)
                    except ValueError as exc:
                        unreadable.append(f"artifact {event.body['name']!r} could not be stored: {exc}")
                        continue
                    self._versions[id(event)] = version
                elif event.body["type"] == "artifact_use":
                    self._artifacts.mark()

    def _show_life(self) -> None:
        """Note that the writer lives, while it is at something that takes long."""
        now = time.monotonic()
        if now - self._shown_life >= HEARTBEAT_S:
            self._shown_life = now
            with self.catalogue.transaction():
                self.catalogue.beat(host_name())

    def _store_rows(self, ready: list[Source], rows: Mapping[int, Row], unreadable: list[str]) -> None:
        # Events first: points are added to the summary of the attempt that they belong to.
        for event, source in merge_events([(source.pending.events, source) for source in ready]):
            self._events.store(event, source, self._versions)
        for source in ready:
            if columns := source.unsummarised():
                assert source.cursor.identity is not None
                self.catalogue.merge_metrics(columns, source.cursor.identity.rank, self._attempt_of(source))
            self._items.write(self.catalogue, source, rows, unreadable)
            if source.number >= 0:
                source.stored = max(source.stored, source.pending.last_seq)
                self.catalogue.set_committed(source.number, source.stored)
            unreadable += [damage.text for damage in source.pending.damage]
        self.catalogue.add_problems(time.time_ns() // 1000, unreadable)

    def _attempt_of(self, source: Source) -> int:
        """Return the shard number of the attempt that a shard belongs to."""
        if source.attempt is None:
            identity = source.cursor.identity
            assert identity is not None
            source.attempt = self.catalogue.attempt_of(identity)
        return source.attempt

    def _let_go(self, source: Source) -> None:
        """Let go of what is committed: segments that nobody appends to any more, and staged files of stored items."""
        for item in source.pending.items:
            self._spent.add(source.directory / name for name in staged_names(item.body))
        for event in source.pending.events:
            if event.body["type"] == "artifact":
                with suppress(ValueError):  # it names no parcel
                    self._spent.add([parcel_of(event.body, source.directory)])
        self._spent.add(source.cursor.consumed)
        source.cursor.consumed.clear()
        self._keep_aside(source.cursor.damaged)
        source.cursor.damaged.clear()
        source.committed()

    def _clear_away(self, directory: Path) -> None:
        """Note and set aside what a power cut left of a shard in which nothing can be read."""
        cursor = ShardCursor(directory)
        with self.catalogue.transaction():
            texts = [damage.text for damage in cursor.ending()]
            self.catalogue.add_problems(time.time_ns() // 1000, texts)
        self._keep_aside(cursor.unreadable())
        self._retired.append(directory)

    def _note_ending(self, source: Source) -> None:
        """Note what is damaged at the end of a shard that nobody appends to any more."""
        if damage := source.cursor.ending():
            with self.catalogue.transaction():
                self.catalogue.add_problems(time.time_ns() // 1000, [text for text, _ in damage])
            self._keep_aside(source.cursor.unreadable())

    def _keep_aside(self, segments: Iterable[Path]) -> None:
        """Put segments that could not be read to their end where a person finds them, and no writer."""
        for path in segments:
            aside = self.run / DAMAGED
            aside.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                os.replace(path, aside / f"{path.parent.name}-{path.name}")


def may_drain(run: Path, identity: ShardIdentity) -> bool:
    """Tell whether a shard is this host's, or of one of which nothing was heard for long."""
    own = identity.host == host_name()
    return own or is_abandoned(run, identity.host, identity.started_ns // 1000)


def _is_headless(shard: Path) -> bool:
    """Tell whether no segment of a shard has a header any more, and its process is gone.

    A segment has its header before it has its name, but a power cut may leave the name alone. This can be told of this
    machine's file systems only: on a network's, what is not to be seen here may be there.
    """
    pid = shard.name.split("-")[2:3]
    if shard_identity(shard) is not None or not is_local(shard):
        return False
    if not segment_paths(shard) and time.time() - os.path.getmtime(shard) < NAMELESS_S:
        return False  # its process may live in a container, where its number is another, and only have begun
    return not (
        pid and re.fullmatch("[0-9a-f]{1,8}", pid[0]) and is_alive(host_name(), int(pid[0], 16), None)
    )
