"""The artifacts of a project: rows in the run.db of each run, files in the directory of the run that logged them.

    artifacts          one row for each version that a run logged: its number, the digest of its content, where it was
    artifact_files     one row for each of its files
    artifact_aliases   one row for each time that a version got an alias; the last one of a project counts
    artifact_uses      one row for each time that the run used a version, of whichever run

    <run>/artifacts/<2 hex>/<digest>/…    the files of a version, under their own names

A version's number belongs to the project: it is the one that the same content has in any of its runs, else one more
than the highest. Whoever gives numbers holds the lock NUMBERING of the project meanwhile. Where it does not reach,
between hosts of some network file systems, two contents can get the same number; the one logged first then has it.

The digest is the SHA-256 of a line for each file, in the order of their names: SHA-256, size, name. A run that logged
or used any has the directory artifacts/, by which a project is searched without opening all of its databases.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .database import connect

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = [
    "ARTIFACTS",
    "ARTIFACT_TABLES",
    "NUMBERING",
    "ArtifactTable",
    "StoredFile",
    "StoredVersion",
    "artifact_databases",
    "content_digest",
    "tree_path",
]

ARTIFACTS: Final = "artifacts"
NUMBERING: Final = ".artifacts.lock"

_PLACE: Final[dict[str, type]] = {"shard": int, "seq": int, "step": int, "time_us": int}
ARTIFACT_TABLES: Final[dict[str, tuple[str | tuple[str, ...] | None, dict[str, type]]]] = {
    "artifacts": (
        "id",
        {
            "id": int,
            **_PLACE,
            "name": str,
            "kind": str,
            "version": int,
            "digest": str,
            "n_files": int,
            "size_bytes": int,
            "reference": int,
            "single": int,
            "source": str,
            "metadata": str,
        },
    ),
    "artifact_files": (
        None,
        {"artifact_id": int, "path": str, "size_bytes": int, "sha256": str, "mtime_ns": int},
    ),
    "artifact_aliases": (None, {"artifact_id": int, "alias": str, "time_us": int}),
    "artifact_uses": (
        "id",
        {
            "id": int,
            **_PLACE,
            "name": str,
            "kind": str,
            "version": int,
            "digest": str,
            "run": str,
            "asked": str,
        },
    ),
}


class StoredFile(NamedTuple):
    """Describe a file of a version; without a `sha256` it is a reference too large to be read."""

    path: str
    size_bytes: int
    sha256: str | None
    mtime_ns: int


class StoredVersion(NamedTuple):
    """Hold what is to be stored of a version, its files in the order of their names."""

    name: str
    kind: str
    digest: str
    reference: bool
    single: bool
    source: str
    metadata: Any
    aliases: Sequence[str]
    files: Sequence[StoredFile]


def content_digest(files: Iterable[StoredFile]) -> str:
    """Return what tells one content from another, whatever the order of the files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        known = file.sha256 or f"unread {file.mtime_ns}"
        digest.update(f"{known} {file.size_bytes} {file.path}\n".encode())
    return digest.hexdigest()


def tree_path(run: Path, digest: str) -> Path:
    """Return where a run has the files of a version."""
    return run / ARTIFACTS / digest[:2] / digest


def artifact_databases(project: Path) -> Iterator[Path]:
    """Yield the databases of the runs of a project that logged or used artifacts."""
    try:
        with os.scandir(project) as entries:
            runs = sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:
        return
    for run in runs:
        try:
            names = os.listdir(run) if os.path.isdir(f"{run}/{ARTIFACTS}") else []
        except OSError:
            continue
        # run.db, and run.<host>.db of another host that logged at the same time.
        yield from (
            Path(run, name) for name in sorted(names) if name.startswith("run.") and name.endswith(".db")
        )


class ArtifactTable:
    """Write the artifacts of one database. The caller holds the transaction, and for `add` the lock of numbers."""

    def __init__(self, db: Database, path: Path) -> None:
        self._db = db
        self._path = path
        self._others: dict[Path, tuple[Any, list[tuple[str, int, str]]]] = {}

    def create(self) -> None:
        """Make the indexes."""
        self._db.table("artifacts").create_index(["name", "digest"], unique=True, if_not_exists=True)
        self._db.table("artifact_files").create_index(["artifact_id", "path"], if_not_exists=True)
        self._db.table("artifact_files").create_index(["sha256"], if_not_exists=True)

    def add(self, place: dict[str, int], version: StoredVersion) -> None:
        """Store a version, or give the one with that content new aliases; `place` is shard, seq, step, time_us."""
        known = self._db.execute(
            "SELECT id, reference FROM artifacts WHERE name = ? AND digest = ?",
            [version.name, version.digest],
        ).fetchone()
        if known is None:
            number = self._insert(place, version)
        else:
            number = known[0]
            self._refresh(number, version, was_reference=bool(known[1]))
        self._db.table("artifact_aliases").insert_all(
            {"artifact_id": number, "alias": alias, "time_us": place["time_us"]}
            for alias in ("latest", *version.aliases)
        )

    def add_use(self, place: dict[str, int], **values: Any) -> None:
        """Note that the run used a version: name, kind, version, digest, run and asked."""
        self._db.table("artifact_uses").insert({**place, **values})

    def stored_here(self, sha256: str) -> list[tuple[str, str, int]]:
        """Return where this run has files of a content: digest of the version, path, time."""
        query = (
            "SELECT digest, path, mtime_ns FROM artifact_files JOIN artifacts ON artifacts.id = artifact_id "
            "WHERE sha256 = ? AND NOT reference LIMIT 8"
        )
        return list(self._db.execute(query, [sha256]))

    def stored_elsewhere(self, digest: str) -> dict[str, list[tuple[Path, int]]]:
        """Return where other runs of the project have the files of a version, and the time of each, by their names."""
        query = (
            "SELECT path, mtime_ns FROM artifact_files JOIN artifacts ON artifacts.id = artifact_id "
            "WHERE digest = ? AND NOT reference"
        )
        found: dict[str, list[tuple[Path, int]]] = {}
        for database, rows in self._of_others():
            if any(row[2] == digest for row in rows):
                tree = tree_path(database.parent, digest)
                for path, mtime_ns in _rows(database, query, [digest]):
                    found.setdefault(path, []).append((tree / path, mtime_ns))
        return found

    def _insert(self, place: dict[str, int], version: StoredVersion) -> int:
        row = {
            **place,
            "name": version.name,
            "kind": version.kind,
            "version": self._number(version.name, version.digest),
            "digest": version.digest,
            "n_files": len(version.files),
            "size_bytes": sum(file.size_bytes for file in version.files),
            "reference": version.reference,
            "single": version.single,
            "source": version.source,
            "metadata": json.dumps(version.metadata, ensure_ascii=False),
        }
        number = self._db.table("artifacts").insert(row).last_pk
        assert isinstance(number, int)
        self._insert_files(number, version.files)
        return number

    def _refresh(self, number: int, version: StoredVersion, *, was_reference: bool) -> None:
        """Take in what is new of a version that is here already."""
        if version.metadata:
            metadata = json.dumps(version.metadata, ensure_ascii=False)
            self._db.execute("UPDATE artifacts SET metadata = ? WHERE id = ?", [metadata, number])
        if was_reference and not version.reference:
            self._db.execute(
                "UPDATE artifacts SET reference = 0, single = ? WHERE id = ?", [version.single, number]
            )
            self._db.execute("DELETE FROM artifact_files WHERE artifact_id = ?", [number])
            self._insert_files(number, version.files)

    def _insert_files(self, number: int, files: Iterable[StoredFile]) -> None:
        self._db.conn.executemany(
            "INSERT INTO artifact_files VALUES (?, ?, ?, ?, ?)", ((number, *file) for file in files)
        )

    def _number(self, name: str, digest: str) -> int:
        own = self._db.execute("SELECT name, version, digest FROM artifacts WHERE name = ?", [name])
        rows = [*own, *(row for _, rows in self._of_others() for row in rows if row[0] == name)]
        same = [version for _, version, found in rows if found == digest]
        return min(same) if same else max((version for _, version, _ in rows), default=-1) + 1

    def _of_others(self) -> list[tuple[Path, list[tuple[str, int, str]]]]:
        """Return name, number and digest of what the other databases of the project have; each read when it changed."""
        known, self._others = self._others, {}
        for path in artifact_databases(self._path.parent.parent):
            if path == self._path:
                continue
            stamp = _stamp(path)
            before = known.get(path)
            query = "SELECT name, version, digest FROM artifacts"
            rows = before[1] if before is not None and before[0] == stamp else _rows(path, query)
            self._others[path] = (stamp, rows)
        return [(path, rows) for path, (_, rows) in self._others.items()]


def _stamp(path: Path) -> Any:
    marks: list[tuple[int, int] | None] = []
    for name in (str(path), f"{path}-wal"):
        try:
            found = os.stat(name)
            marks.append((found.st_mtime_ns, found.st_size))
        except OSError:
            marks.append(None)
    return marks


def _rows(database: Path, query: str, values: Sequence[Any] = ()) -> list[Any]:
    try:
        with connect(database) as connection:
            return list(connection.execute(query, values))
    except (sqlite3.Error, OSError):  # damaged, or only being made: it says nothing now
        return []
