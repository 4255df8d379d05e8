"""What the scalar and histogram stores share: a Lance dataset whose commits are durable.

Lance itself never syncs, and a power cut then leaves manifests of no bytes, which no longer open. So a commit
here goes in this order, and each step is on the disk before the next begins:

    data file, data/  ->  Lance's commit  ->  manifest, transaction and their directories

Only the process that holds the run's lock may open a `Dataset`: it takes away what a killed predecessor left
half written (`.tmp*`, `*#*`, orphans), which would be the work in progress of another one beside it.

    <name>.lance/
      data/*.lance              a fragment each, never changed
      _transactions/<n>-*.txn   what the commit of version n + 1 did
      _versions/<m>.manifest    the fragments of version 2**64 - 1 - m: the newest has the lowest name
      _quarantine/              manifests that could not be read after a crash; kept for whoever wants to look
    <name>.rows                 all rows of an ended run once more, if they are few (see sidecar.py)
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance.fragment import FragmentMetadata, LanceFragment

from .fragments import Part
from .repair import VERSIONS, complaints, is_untouched, manifest_name, quarantine_broken, sweep, versions
from .sidecar import LONGEST_BYTES, drop_sidecar, write_sidecar
from .sync import fsync_directory, fsync_file

__all__ = ["LANCE_ERRORS", "RETENTION_S", "ZSTD", "Dataset", "Session", "new_session"]

# What Lance raises for a file that is missing, short or not writable: it has no tree of its own.
LANCE_ERRORS = (OSError, ValueError, RuntimeError)

# How long an old version stays. A reader at work on it, or `rsync`, must be done with it by then.
RETENTION_S = 60.0

FORMAT_VERSION = "2.2"

# On the list and on its items; without it a float64 stays at 8 bytes.
ZSTD = {"lance-encoding:compression": "zstd", "lance-encoding:compression-level": "3"}

Commit = Callable[..., lance.LanceDataset]
Session = Any  # lance.Session, which its stubs do not know


def new_session(cache_bytes: int = 8 << 20) -> Session:
    """Return caches of a few MB for datasets to share; Lance's own default grows to a GiB."""
    session: Session = lance.Session(  # type: ignore[attr-defined]
        metadata_cache_size_bytes=cache_bytes, index_cache_size_bytes=cache_bytes // 8
    )
    return session


class Dataset:
    """One Lance dataset as its only writer sees it. Opening it repairs it; it is created by the first append.

    Arguments:
        path: The directory of the dataset.
        schema: Of all tables that are appended.
        retention_s: How long a version is kept after the next one.
        commit: What publishes a version (`lance.LanceDataset.commit`).
        link: What Lance publishes a manifest with (`os.link`), tried once.

    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        *,
        retention_s: float = RETENTION_S,
        commit: Commit = lance.LanceDataset.commit,
        link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        self._path = path.absolute()
        self._schema = schema
        self._retention_s = retention_s
        self._commit, self._link = commit, link
        # Caches make no flush quicker, and fill up with what each commit leaves in them.
        self._session = new_session(0)
        self._commit_options: dict[str, Any] | None = None
        self._unsynced: list[Path] = []
        self.problems: list[str] = []  # what was found damaged, and set aside
        self._handle = self._recover()
        self._cleaned = time.monotonic()

    @property
    def fragment_ids(self) -> list[int]:
        """Return the numbers of the fragments of the newest version."""
        return list(self._handle.fragment_ids()) if self._handle else []

    def append(self, table: pa.Table) -> int:
        """Add a fragment and return its number; when this returns, it is on the disk.

        After an OSError the fragment may be there or not: `settle`, and look.
        """
        self.settle()
        fragment = self._create(table)
        if self._handle is None:
            return self._publish(lance.LanceOperation.Overwrite(self._schema, [fragment]), fragment)
        return self._publish(lance.LanceOperation.Append([fragment]), fragment)

    def part(self, fragment_ids: Sequence[int] | None = None) -> Part:
        """Return some fragments of the newest version, or all, to be read."""
        assert self._handle is not None
        wanted = self._handle.fragment_ids() if fragment_ids is None else fragment_ids
        return Part(self._path, self._chosen(wanted))

    def replace(self, fragment_ids: Sequence[int], tables: Iterable[pa.Table]) -> int:
        """Put one new fragment in the place of others, durably; return its number."""
        self.settle()
        assert self._handle is not None
        old = [fragment.metadata for fragment in self._chosen(fragment_ids)]
        batches = (batch for table in tables for batch in table.to_batches())
        new = self._create(pa.RecordBatchReader.from_batches(self._schema, batches))
        group = lance.LanceOperation.RewriteGroup(old, [new])
        return self._publish(lance.LanceOperation.Rewrite([group], []), new)

    def settle(self) -> None:
        """Finish what a failed append left open: sync what is committed, and look at the newest version."""
        self._sync()
        if self._handle is None and versions(self._path):
            self._handle = self._open()

    def clean(self) -> None:
        """Delete the versions that are older than the retention, at most twice in that time."""
        now = time.monotonic()
        if self._handle is not None and now - self._cleaned >= self._retention_s / 2:
            self._cleaned = now
            self._handle.cleanup_old_versions(timedelta(seconds=self._retention_s))

    def clean_all(self) -> None:
        """Delete every version but the newest. Readers of an older one move on; a copy under way may be broken."""
        if self._handle is not None:
            self._handle.cleanup_old_versions(timedelta(0))

    def write_sidecar(self) -> None:
        """Write all rows once more, into one file that is quick to read, if they are few."""
        if self._handle is None:
            return
        drop_sidecar(self._path)
        sizes = {name: (self._path / "data" / name).stat().st_size for name in _data_files(self._handle)}
        if sum(sizes.values()) <= LONGEST_BYTES:
            rows = self.part().read(self._schema.names)
            write_sidecar(self._path, self._handle.version, sizes, rows)

    def close(self) -> None:
        """Let go of files and caches."""
        self._handle = None
        self._session = new_session(0)

    def _chosen(self, fragment_ids: Iterable[int]) -> list[LanceFragment]:
        assert self._handle is not None
        wanted = set(fragment_ids)
        return [fragment for fragment in self._handle.get_fragments() if fragment.fragment_id in wanted]

    def _recover(self) -> lance.LanceDataset | None:
        if not self._path.is_dir():
            return None
        drop_sidecar(self._path)
        sweep(self._path)
        self.problems = complaints(self._path)
        quarantine_broken(self._path)
        untouched = is_untouched(self._path)
        if not versions(self._path):
            return None
        handle = self._open()
        # A predecessor may have been killed between its commit and its sync, and what is found here counts as
        # committed. Syncing what is clean already costs microseconds.
        data = [self._path / "data" / name for name in _data_files(handle)]
        self._unsynced = [*data, self._path / "data", *self._commit_files(handle.version, is_first=True)]
        self._sync()
        # What a quarantined manifest names looks like an orphan, and is kept.
        handle.cleanup_old_versions(timedelta(seconds=self._retention_s), delete_unverified=untouched)
        return handle

    def _open(self) -> lance.LanceDataset:
        return lance.dataset(self._path, session=self._session)

    def _create(self, table: pa.Table | pa.RecordBatchReader) -> FragmentMetadata:
        mode = "create" if self._handle is None else "append"
        try:
            return LanceFragment.create(
                self._path,
                table,
                mode=mode,
                data_storage_version=FORMAT_VERSION,
                session=self._session,
            )
        except LANCE_ERRORS:
            sweep(self._path)  # a full disk is not to be filled with the leavings of each new try
            raise

    def _publish(self, operation: lance.LanceOperation.BaseOperation, fragment: FragmentMetadata) -> int:
        name = fragment.files[0].path
        fsync_file(self._path / "data" / name)
        fsync_directory(self._path / "data")
        target: lance.LanceDataset | Path = self._path if self._handle is None else self._handle
        version = 0 if self._handle is None else self._handle.version
        try:
            handle = self._commit(target, operation, version or None, **self._options())
        except LANCE_ERRORS:
            # Unclear: it may be there. Committing it again would, if it is, silently double its rows.
            committed = self._find(name)
            if committed is None:
                (self._path / "data" / name).unlink(missing_ok=True)
                raise
            handle = committed
        # What the first commit returns has caches of its own, of Lance's default size.
        self._handle = handle if version else self._open()
        self._unsynced = self._commit_files(handle.version, is_first=version == 0)
        self._sync()
        return max(handle.fragment_ids())

    def _sync(self) -> None:
        """Sync what is listed, last first; what fails stays listed."""
        while self._unsynced:
            path = self._unsynced[-1]
            if path.is_dir():
                fsync_directory(path)
            else:
                fsync_file(path)
            self._unsynced.pop()

    def _find(self, data_file: str) -> lance.LanceDataset | None:
        """Open the newest version; return it if it has a fragment of that file."""
        self._handle = None
        if not versions(self._path):
            return None
        self._handle = self._open()
        return self._handle if data_file in _data_files(self._handle) else None

    def _commit_files(self, version: int, *, is_first: bool = False) -> list[Path]:
        """Return what is to be synced after a commit, last first."""
        manifests, transactions = self._path / VERSIONS, self._path / "_transactions"
        paths = [manifests, transactions, manifests / manifest_name(version)]
        paths += transactions.glob(f"{version - 1}-*.txn")
        paths = [path for path in paths if path.exists()]  # a copy may have come without its transactions
        return [self._path.parent.parent, self._path.parent, self._path, *paths] if is_first else paths

    def _options(self) -> dict[str, Any]:
        if self._commit_options is None:
            lock = None if _can_link(self._path, self._link) else _no_other_writer
            self._commit_options = {"commit_lock": lock} if lock else {}
        return self._commit_options


def _data_files(handle: lance.LanceDataset) -> list[str]:
    return [file.path for fragment in handle.get_fragments() for file in fragment.metadata.files]


def _can_link(directory: Path, link: Callable[[Path, Path], None]) -> bool:
    """Tell whether hard links work there: exFAT and many network and FUSE mounts have none."""
    source, target = (directory / f".tmp-link-{os.getpid()}-{part}" for part in ("source", "target"))
    source.touch()
    try:
        link(source, target)
    except OSError:
        return False
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def _no_other_writer(_version: int) -> Iterator[None]:
    """Be the lock that Lance wants where it cannot link: the run's own lock is held already."""
    yield
