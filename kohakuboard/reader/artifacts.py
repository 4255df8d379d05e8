"""Versions of artifacts, as all runs of a project tell of them together: who made one, who used it, what it is called.

An alias stands for the version that got it last in any of the runs. Where two contents have one number, which happens
only where no lock reaches, the one logged first is meant by it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from ..errors import ArtifactNotFoundError
from ..journal.format import ShardIdentity
from ..journal.scan import Event
from ..storage.artifacts import ARTIFACTS, artifact_databases, tree_path
from ..storage.database import connect
from ..storage.shards import shard_number
from .catalogue import catalogue_paths, names_in, read_catalogues
from .tail import Tail

__all__ = [
    "USES_QUERY",
    "ArtifactFile",
    "ArtifactUse",
    "ArtifactVersion",
    "PendingArtifacts",
    "artifacts_of",
    "resolve",
    "uses_of",
]

USES_QUERY: Final = (
    "SELECT shard, seq, time_us, step, name, kind, version, digest, run, asked FROM artifact_uses ORDER BY id"
)
_VERSIONS_QUERY: Final = (
    "SELECT id, name, kind, version, digest, n_files, size_bytes, reference, single, source, metadata, step, time_us "
    "FROM artifacts"
)
_ALIASES_QUERY: Final = (
    "SELECT name, alias, max(artifact_aliases.time_us), version FROM artifact_aliases "
    "JOIN artifacts ON artifacts.id = artifact_id GROUP BY name, alias"
)


class ArtifactFile(NamedTuple):
    """Describe a file of a version; `sha256` is None of a reference that was too large to be read."""

    path: str
    size_bytes: int
    sha256: str | None


class ArtifactUse(NamedTuple):
    """Say that a run used a version: `run` ("project/id") made it, and it was asked for as `asked`; `time` in UTC."""

    time: datetime
    step: int
    name: str
    type: str
    version: int
    digest: str
    run: str
    asked: str


class _Place(NamedTuple):
    """Say where a version's row and files lie."""

    run: Path
    database: Path
    row: int
    single: bool
    source: str


@dataclass(frozen=True, slots=True)
class ArtifactVersion:
    """Describe a version of an artifact. `run` made it, `used_by` used it, each "project/id"; `time` is in UTC."""

    name: str
    type: str
    version: int
    aliases: tuple[str, ...]
    digest: str
    n_files: int
    size_bytes: int
    reference: bool
    metadata: Any
    step: int
    time: datetime
    run: str
    used_by: tuple[str, ...]
    _place: _Place = field(repr=False, compare=False)

    @property
    def path(self) -> Path:
        """Return the file, or the directory of files. They are the run's own: copy what is to be changed.

        Raises FileNotFoundError when they are gone.
        """
        if self.reference:
            path = Path(self._place.source)
        else:
            path = tree_path(self._place.run, self.digest)
            if self._place.single:
                path /= self.files[0].path
        if not path.exists():
            raise FileNotFoundError(f"the files of {self.name}:v{self.version} are gone from {str(path)!r}")
        return path

    @property
    def files(self) -> list[ArtifactFile]:
        """Return the files, in the order of their names."""
        query = "SELECT path, size_bytes, sha256 FROM artifact_files WHERE artifact_id = ? ORDER BY path"
        with connect(self._place.database) as connection:
            return [ArtifactFile(*row) for row in connection.execute(query, [self._place.row])]

    def open(self, name: str | None = None) -> BinaryIO:
        """Open a file for reading, the only one when no name is given. Raises FileNotFoundError."""
        names = [file.path for file in self.files]
        if name is None and len(names) == 1:
            name = names[0]
        if name is None or name not in names:
            raise FileNotFoundError(f"{self.name}:v{self.version} has no file {name!r}")
        return open(self.path if self._place.single else self.path / name, "rb")


@dataclass(slots=True)
class _Found:
    """Gather what the databases of some runs say."""

    versions: list[tuple[Path, tuple[Any, ...]]] = field(default_factory=list)
    aliases: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    users: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def read(self, database: Path) -> None:
        """Take in one database; one that is damaged, or only being made, says nothing."""
        try:
            with connect(database) as connection:
                rows = connection.execute(_VERSIONS_QUERY).fetchall()
                aliases = connection.execute(_ALIASES_QUERY).fetchall()
                uses = connection.execute("SELECT DISTINCT name, digest FROM artifact_uses").fetchall()
        except (sqlite3.Error, OSError):
            return
        self.versions += [(database, row) for row in rows]
        for name, alias, time_us, version in aliases:
            self.aliases[name, alias] = max((time_us, version), self.aliases.get((name, alias), (0, -1)))
        for name, digest in uses:
            users = self.users.setdefault((name, digest), [])
            if (run := _run_name(database.parent)) not in users:
                users.append(run)

    def made(self) -> list[ArtifactVersion]:
        """Return the versions by name and number, the first logged first."""
        names: dict[tuple[str, int], list[str]] = {}
        for (name, alias), (_, version) in self.aliases.items():
            names.setdefault((name, version), []).append(alias)
        found = [self._version(database, row, names) for database, row in self.versions]
        return sorted(found, key=lambda one: (one.name, one.version, one.time))

    def _version(
        self, database: Path, row: tuple[Any, ...], names: Mapping[tuple[str, int], list[str]]
    ) -> ArtifactVersion:
        (
            number,
            name,
            kind,
            version,
            digest,
            n_files,
            size,
            reference,
            single,
            source,
            metadata,
            step,
            time_us,
        ) = row
        return ArtifactVersion(
            name=name,
            type=kind,
            version=version,
            aliases=tuple(sorted(names.get((name, version), ()))),
            digest=digest,
            n_files=n_files,
            size_bytes=size,
            reference=bool(reference),
            metadata=json.loads(metadata),
            step=step,
            time=datetime.fromtimestamp(time_us / 1e6, tz=timezone.utc),
            run=_run_name(database.parent),
            used_by=tuple(self.users.get((name, digest), ())),
            _place=_Place(database.parent, database, number, bool(single), source),
        )


def artifacts_of(run: Path) -> list[ArtifactVersion]:
    """Return the versions that a run logged, with what its project knows of them."""
    if not (run / ARTIFACTS).is_dir():
        return []
    return [version for version in _versions(run.parent) if version._place.run == run]


def uses_of(
    rows: Iterable[tuple[Any, ...]], events: Iterable[tuple[Event, ShardIdentity]]
) -> list[ArtifactUse]:
    """Return what a run used, in the order of time; of what USES_QUERY found and of the journal's tail."""
    found = {(shard, seq): tuple(values) for shard, seq, *values in rows}
    for event, writer in events:
        body = event.body
        if body["type"] == "artifact_use":
            told = (body[key] for key in ("name", "kind", "version", "digest", "run", "asked"))
            values = (body.get("time_us", event.time_us), body.get("step", event.step), *told)
            found.setdefault((shard_number(writer.shard), event.seq), values)
    ordered = sorted(found.values(), key=lambda values: values[0])
    return [
        ArtifactUse(datetime.fromtimestamp(time_us / 1e6, tz=timezone.utc), *values)
        for time_us, *values in ordered
    ]


def resolve(run: Path, wanted: str) -> ArtifactVersion:
    """Return the version that a name stands for, seen from a run. Raises ArtifactNotFoundError.

    [run/ | project/ | project/run/] name [:alias | :v3]; without a version, the latest.
    """
    place, _, last = str(wanted).rpartition("/")
    name, _, alias = last.partition(":")
    alias = alias or "latest"
    versions = _versions_at(run, place, wanted)
    named = [version for version in versions if version.name == name]
    if not named:
        known = sorted({version.name for version in versions})
        shown = (
            f"there are {', '.join(map(repr, known[:5]))}" if known else "none was logged there and stored"
        )
        raise ArtifactNotFoundError(wanted, shown)
    meant = [version for version in named if alias == f"v{version.version}" or alias in version.aliases]
    if not meant:
        aliases = sorted(
            {f"v{one.version}" for one in named} | {alias for one in named for alias in one.aliases}
        )
        raise ArtifactNotFoundError(wanted, f"{name!r} has {', '.join(aliases[-10:])}")
    # Of one content in several runs, one that has the files, our own first.
    same = [version for version in meant if version.digest == meant[0].digest]
    return min(same, key=lambda one: (not _has_files(one), one.reference, one._place.run != run))


class PendingArtifacts:
    """Follow which artifacts a run has logged that its writer has not stored."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._tail = Tail(run / "journal")

    def names(self) -> set[str]:
        """Return their names."""
        self._tail.read()
        shards = read_catalogues(str(self._run), names_in(self._run)).shards
        self._tail.forget({name: row.committed for name, row in shards.items()})
        return {event.body["name"] for event, _ in self._tail.events() if event.body["type"] == "artifact"}


def _versions_at(run: Path, place: str, wanted: str) -> list[ArtifactVersion]:
    project, root = run.parent, run.parent.parent
    if not place:
        return _versions(project)
    for directory in (project / place, root / place):
        if catalogue_paths(directory):
            return _versions_in(catalogue_paths(directory))
        if directory.is_dir():
            return _versions(directory)
    raise ArtifactNotFoundError(wanted, f"there is no run and no project {place!r} in {str(root)!r}")


def _versions(project: Path) -> list[ArtifactVersion]:
    return _versions_in(artifact_databases(project))


def _versions_in(databases: Iterable[Path]) -> list[ArtifactVersion]:
    found = _Found()
    for database in databases:
        found.read(database)
    return found.made()


def _has_files(version: ArtifactVersion) -> bool:
    try:
        return version.path.exists()
    except (OSError, sqlite3.Error, IndexError):
        return False


def _run_name(run: Path) -> str:
    return f"{run.parent.name}/{run.name}"
