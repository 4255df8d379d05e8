"""Store artifacts: hash what was staged, put it where it stays, and give it a number.

The files of a version are put together in `artifacts/.<digest>.<host>.tmp`, each a hard link: to the staged file, or to
one of the same content that the run, or another of its project, has already. Synced and read-only, the directory then
gets its name in one step, and only then rows are written, in the transaction of the flush. So a crash at any moment
leaves the parcel in the journal, and perhaps a whole directory without a row, which the next try takes as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..journal.lock import FileLock
from ..journal.parcel import PARCEL_SUFFIX, Listed, read_manifest
from ..journal.process import host_name
from ..storage.artifacts import (
    ARTIFACTS,
    NUMBERING,
    StoredFile,
    StoredVersion,
    content_digest,
    tree_path,
)
from ..storage.sync import fsync_directory, fsync_files

if TYPE_CHECKING:
    from ..storage.artifacts import ArtifactTable

__all__ = ["ArtifactKeeper", "parcel_of"]

READ_BYTES: Final = 4 << 20
# References that are larger in all are not read: they are known by size and time.
MOST_READ_BYTES: Final = 16 << 30
# Whoever holds the numbers of a project does so for milliseconds; one that hangs must not stop all others.
NUMBERS_WITHIN_S: Final = 10.0
_READ_ONLY: Final = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class ArtifactKeeper:
    """Keep the artifacts of one run. The caller holds the run's lock.

    Arguments:
        run: The directory of the run.
        table: Its rows.
        alive: Called now and then while much is hashed.

    """

    def __init__(self, run: Path, table: ArtifactTable, alive: Callable[[], None]) -> None:
        self._run = run
        self._table = table
        self._alive = alive
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._suffix = f".{host_name()}.tmp"
        for path in (run / ARTIFACTS).glob(f".*{self._suffix}"):
            shutil.rmtree(path, ignore_errors=True)

    def prepare(self, body: Mapping[str, Any], shard: Path) -> StoredVersion:
        """Put the files of a staged artifact in their place, synced; return what is to be noted of them.

        Raises ValueError for one that cannot be stored, OSError where that may pass.
        """
        try:
            parcel = parcel_of(body, shard)
            manifest = read_manifest(parcel)
        except FileNotFoundError as exc:
            raise ValueError("what was staged of it is gone") from exc
        if len({file.path for file in manifest.files}) != len(manifest.files):
            raise ValueError("two of its files have one name")
        reference, staged = body["reference"], list[Path]()
        if reference:
            root = Path(manifest.source) if not manifest.single else Path(manifest.source).parent
            read = sum(file.size_bytes for file in manifest.files) <= MOST_READ_BYTES
            files = [self._referred(root / file.path, file, read=read) for file in manifest.files]
        else:
            staged = [parcel / str(number) for number in range(len(manifest.files))]
            files = [self._staged(path, file) for path, file in zip(staged, manifest.files, strict=True)]
        digest = content_digest(files)
        (self._run / ARTIFACTS).mkdir(exist_ok=True)
        if not reference:
            files = self._place(digest, files, staged)
        return StoredVersion(
            name=body["name"],
            kind=body["kind"],
            digest=digest,
            reference=reference,
            single=manifest.single,
            source=manifest.source,
            metadata=body["metadata"],
            aliases=body["aliases"],
            files=files,
        )

    def mark(self) -> None:
        """Make the directory by which the run is found as one that has to do with artifacts."""
        (self._run / ARTIFACTS).mkdir(exist_ok=True)

    @contextmanager
    def numbering(self, wanted: bool) -> Iterator[None]:
        """Hold the numbers of the project for the length of a transaction, if it needs any."""
        if not wanted:
            yield
            return
        lock = FileLock(self._run.parent / NUMBERING)
        deadline = time.monotonic() + NUMBERS_WITHIN_S
        with suppress(OSError):  # a file system without locks
            while not lock.acquire() and time.monotonic() < deadline:
                time.sleep(0.01)
        try:
            yield
        finally:
            lock.release()

    def _staged(self, path: Path, listed: Listed) -> StoredFile:
        try:
            sha256, found = self._hashed(path)
        except FileNotFoundError as exc:
            raise ValueError(f"what was staged of {listed.path!r} is gone") from exc
        if found.st_size != listed.size_bytes:
            raise ValueError(f"{listed.path!r} has {found.st_size} of {listed.size_bytes} bytes")
        return StoredFile(listed.path, listed.size_bytes, sha256, listed.mtime_ns)

    def _referred(self, path: Path, listed: Listed, *, read: bool) -> StoredFile:
        try:
            sha256, found = self._hashed(path) if read else (None, os.stat(path))
        except OSError as exc:  # it is the user's: to try again would not bring it back
            raise ValueError(f"{str(path)!r} cannot be read ({exc.strerror})") from exc
        if (found.st_size, found.st_mtime_ns) != (listed.size_bytes, listed.mtime_ns):
            raise ValueError(f"{str(path)!r} has changed since it was logged")
        return StoredFile(listed.path, listed.size_bytes, sha256, listed.mtime_ns)

    def _hashed(self, path: Path) -> tuple[str, os.stat_result]:
        digest, buffer = hashlib.sha256(), self._buffer
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
                self._alive()
            return digest.hexdigest(), os.fstat(file.fileno())

    def _place(self, digest: str, files: list[StoredFile], staged: list[Path]) -> list[StoredFile]:
        """Put a version together; return its files with the times that they have there."""
        tree = tree_path(self._run, digest)
        if not tree.is_dir():
            half = self._run / ARTIFACTS / f".{digest}{self._suffix}"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            try:
                self._fill(half, digest, files, staged)
                tree.parent.mkdir(exist_ok=True)
                os.replace(half, tree)
            except BaseException:
                shutil.rmtree(half, ignore_errors=True)
                raise
        # Also of one that is there: whoever put it may have been killed before its name was on the disk.
        for directory in (tree.parent, self._run / ARTIFACTS, self._run):
            fsync_directory(directory)
        return [file._replace(mtime_ns=os.stat(tree / file.path).st_mtime_ns) for file in files]

    def _fill(self, half: Path, digest: str, files: list[StoredFile], staged: list[Path]) -> None:
        elsewhere = self._table.stored_elsewhere(digest)
        directories, targets = {half}, list[Path]()
        for file, path in zip(files, staged, strict=True):
            target = _inside(half, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            directories |= {parent for parent in target.parents if parent.is_relative_to(half)}
            if not self._link_known(target, file, elsewhere):
                os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
                os.chmod(path, _READ_ONLY)
                _link_or_copy(path, target)
            targets.append(target)
        fsync_files(targets, self._alive)
        for directory in directories:
            fsync_directory(directory)

    def _link_known(
        self, target: Path, file: StoredFile, elsewhere: Mapping[str, list[tuple[Path, int]]]
    ) -> bool:
        """Link a file of the same content that is stored already, and was not changed since; False without one."""
        assert file.sha256 is not None
        stored = [
            (tree_path(self._run, digest) / path, at)
            for digest, path, at in self._table.stored_here(file.sha256)
        ]
        for path, mtime_ns in (*stored, *elsewhere.get(file.path, ())):
            with suppress(OSError):
                found = os.lstat(path)
                same = (found.st_size, found.st_mtime_ns) == (file.size_bytes, mtime_ns)
                if same and stat.S_ISREG(found.st_mode):
                    os.link(path, target)
                    return True
        return False


def parcel_of(body: Mapping[str, Any], shard: Path) -> Path:
    """Return the directory that an artifact was staged in. Raises ValueError for what names none."""
    name = str(body["parcel"])
    if os.path.basename(name) != name or not name.endswith(PARCEL_SUFFIX):
        raise ValueError(f"{name!r} is no staged artifact")
    return shard / name


def _inside(directory: Path, name: str) -> Path:
    """Return the place of a file below a directory. Raises ValueError for a name that leads out of it."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts) or (os.sep != "/" and os.sep in name):
        raise ValueError(f"{name!r} is no name of a file in an artifact")
    return directory.joinpath(*parts)


def _link_or_copy(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        shutil.copy2(path, target)
