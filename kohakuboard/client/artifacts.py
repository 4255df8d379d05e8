"""Hand artifacts to the writer, whole or not at all, and find those that a run is to use.

    event    {"type": "artifact", "name", "kind", "aliases", "metadata", "reference", "parcel", "step", "time_us"}
    event    {"type": "artifact_use", "name", "kind", "version", "digest", "run", "asked", "step", "time_us"}

The files are copied into a parcel beside the segments in the call, as what the user does to them later must change
nothing; the writer hashes them, gives the version its number and puts it where it stays.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import ArtifactNotFoundError
from ..journal.parcel import ChangedError, Parcel
from ..journal.stage import Stage, StagingError
from ..masking import masked
from .plain import describe, plain, storable_text, text_of, words

if TYPE_CHECKING:
    from ..reader import ArtifactVersion

__all__ = ["UnusableArtifactError", "artifact_event", "find_artifact", "use_event"]

MOST_FILES: Final = 100_000
DEEPEST: Final = 64
# How long `use_artifact` waits for the writer to store what this run has just logged.
STORED_WITHIN_S: Final = 600.0
_LOOK_EVERY_S: Final = 0.05

_RESERVED_ALIAS: Final = re.compile(r"latest|v\d+")
_SEPARATORS: Final = re.compile(r"[/\\:]+")

Complain = Callable[[str, str], None]


class UnusableArtifactError(Exception):
    """Say which path keeps an artifact from being logged, and why."""

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = str(path)
        self.reason = reason
        super().__init__(f"{str(path)!r} {reason}")


class _Found(NamedTuple):
    """Hold a file to be logged: where it is, and what it is called within the artifact."""

    path: str
    name: str


def artifact_event(
    path: Any,
    name: Any,
    kind: Any,
    aliases: Any,
    metadata: Any,
    *,
    reference: bool,
    run: Path,
    stage: Callable[[], Stage],
    step: int,
    complain: Complain,
) -> dict[str, Any]:
    """Return the event of an artifact whose files are staged by then.

    Raises UnusableArtifactError, and StagingError where there is no room; nothing is left behind then.
    """
    source = _source(path)
    single = not source.is_dir()
    if not single and _holds(source, run):
        raise UnusableArtifactError(source, "holds the run itself")
    called = _name(text_of(name) or source.name or "artifact", complain)
    found = list(_files(source, single))
    parcel = _parcel(stage())
    try:
        for file in found:
            _pack(parcel, file, reference=reference)
        parcel.close(single=single, source=storable_text(str(source)))
    except OSError as exc:
        parcel.drop()
        raise StagingError(*exc.args) from exc
    except BaseException:
        parcel.drop()
        raise
    return {
        "type": "artifact",
        "name": called,
        "kind": text_of(kind) or "artifact",
        "aliases": _aliases(aliases, complain),
        "metadata": masked(plain(metadata if metadata is not None else {})),
        "reference": bool(reference),
        "parcel": parcel.path.name,
        "step": step,
        "time_us": time.time_ns() // 1000,
    }


def find_artifact(run: Path, wanted: str) -> ArtifactVersion:
    """Return the version that a name stands for, waiting for what this run has logged and is not stored yet.

    Raises ArtifactNotFoundError.
    """
    # Only here: it imports sqlite3 and numpy.
    from ..reader.artifacts import PendingArtifacts, resolve

    deadline, pending = time.monotonic() + STORED_WITHIN_S, PendingArtifacts(run)
    name = wanted.rpartition("/")[2].partition(":")[0]
    while name in pending.names():
        if time.monotonic() >= deadline:
            raise ArtifactNotFoundError(wanted, "this run logged it, and its writer has not stored it yet")
        time.sleep(_LOOK_EVERY_S)
    return resolve(run, wanted)


def use_event(version: ArtifactVersion, asked: str, step: int) -> dict[str, Any]:
    """Return the event that says which version a run used."""
    return {
        "type": "artifact_use",
        "name": version.name,
        "kind": version.type,
        "version": version.version,
        "digest": version.digest,
        "run": version.run,
        "asked": storable_text(asked),
        "step": step,
        "time_us": time.time_ns() // 1000,
    }


def _source(path: Any) -> Path:
    absolute = Path()
    try:
        given = os.fspath(path)
        text = os.fsdecode(given) if isinstance(given, bytes) else given
        source = absolute = Path(text).expanduser()
        # Its own name, and not that of what a link leads to.
        absolute = Path(os.path.abspath(source))
        os.stat(absolute)
        return absolute
    except OSError as exc:
        raise _unreadable(str(absolute), exc) from exc
    except Exception as exc:  # a user's own __fspath__ may raise anything
        raise UnusableArtifactError(describe(path), f"is no path ({describe(exc)})") from exc


def _holds(directory: Path, run: Path) -> bool:
    inside = run.resolve()
    return directory.resolve() in (inside, *inside.parents)


def _files(source: Path, single: bool) -> Iterator[_Found]:
    if single:
        yield _Found(str(source), storable_text(source.name))
        return
    count = 0
    for found in _walk(str(source), "", ()):
        count += 1
        if count > MOST_FILES:
            raise UnusableArtifactError(source, f"has more than {MOST_FILES} files; log an archive of them")
        yield found
    if not count:
        raise UnusableArtifactError(source, "holds no file")


def _walk(directory: str, prefix: str, around: tuple[tuple[int, int], ...]) -> Iterator[_Found]:
    """Yield the files below a directory in the order of their names, through links as well."""
    try:
        found = os.stat(directory)
        mark = (found.st_dev, found.st_ino)
        if mark in around:
            raise UnusableArtifactError(directory, "leads back to a directory that it lies in")
        if len(around) == DEEPEST:
            raise UnusableArtifactError(directory, f"lies deeper than {DEEPEST} directories")
        with os.scandir(directory) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as exc:
        raise _unreadable(directory, exc) from exc
    for entry in ordered:
        name = f"{prefix}{storable_text(entry.name)}"
        if _is_directory(entry):
            yield from _walk(entry.path, f"{name}/", (*around, mark))
        else:
            yield _Found(entry.path, name)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as exc:  # a link to itself
        raise _unreadable(entry.path, exc) from exc


def _parcel(stage: Stage) -> Parcel:
    try:
        return stage.parcel()
    except OSError as exc:
        raise StagingError(*exc.args) from exc


def _pack(parcel: Parcel, file: _Found, *, reference: bool) -> None:
    try:
        # Without O_NONBLOCK a FIFO would be waited for.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        source = os.open(file.path, flags)
    except OSError as exc:
        raise _unreadable(file.path, exc) from exc
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode):
            raise UnusableArtifactError(file.path, "is neither a file nor a directory")
        if reference:
            parcel.refer(file.name, found)
        else:
            parcel.copy(file.name, source)
    except ChangedError:
        raise UnusableArtifactError(file.path, "was written to while it was copied") from None
    finally:
        os.close(source)


def _unreadable(path: str, error: OSError) -> UnusableArtifactError:
    return UnusableArtifactError(path, f"cannot be read ({error.strerror or error})")


def _name(text: str, complain: Complain) -> str:
    """Return a name that can be asked for: "/" and ":" have a meaning there."""
    name = _SEPARATORS.sub("-", text).strip("-") or "artifact"
    if name != text:
        complain(
            f"artifact {text}",
            f"the artifact {text!r} is called {name!r}: its name is asked for as name:alias",
        )
    return name


def _aliases(aliases: Any, complain: Complain) -> list[str]:
    made: list[str] = []
    for text in words(() if aliases is None else aliases):
        alias = _SEPARATORS.sub("-", text)
        if alias != "latest" and _RESERVED_ALIAS.fullmatch(alias):
            complain(f"alias {text}", f"{text!r} is no alias: versions are numbered by themselves")
        elif alias != "latest":  # which every version gets by itself
            made.append(alias)
    return list(dict.fromkeys(made))
