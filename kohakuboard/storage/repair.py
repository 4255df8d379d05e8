"""Which versions of a Lance dataset are whole, and what to do about those that are not.

A version is whole when its manifest opens and each data file it names has the size it should have. Who
reads may ask; only the process that holds the run's lock may sweep and quarantine.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from pathlib import Path

import lance

__all__ = [
    "VERSIONS",
    "complaints",
    "is_untouched",
    "is_whole",
    "manifest_name",
    "newest_whole",
    "quarantine_broken",
    "sweep",
    "versions",
]

VERSIONS = "_versions"
QUARANTINE = "_quarantine"
HINT = "latest_version_hint.json"

_LAST_NAME = 2**64 - 1
_MANIFEST = re.compile(r"(\d{20})\.manifest")


def manifest_name(version: int) -> str:
    """Return the file name of a version's manifest: they count down, so that the newest is listed first."""
    return f"{_LAST_NAME - version:020d}.manifest"


def versions(path: Path) -> list[int]:
    """Return the versions that have a manifest, newest first; [] when there is no dataset."""
    try:
        names = os.listdir(path / VERSIONS)
    except FileNotFoundError:
        return []
    matches = filter(None, map(_MANIFEST.fullmatch, names))
    return sorted((_LAST_NAME - int(match[1]) for match in matches), reverse=True)


def is_whole(path: Path, version: int) -> bool:
    """Tell whether a version opens and its data files have their sizes.

    What keeps this process from reading at all (no permission, too many open files) is raised as an OSError,
    since it says nothing about the version.
    """
    if not _read_size(path / VERSIONS / manifest_name(version)):
        return False
    try:
        handle = lance.dataset(path, version=version)
    except (OSError, ValueError):
        return False
    files = [file for fragment in handle.get_fragments() for file in fragment.metadata.files]
    return all(_read_size(path / "data" / file.path) == file.file_size_bytes for file in files)


def newest_whole(path: Path) -> int | None:
    """Return the newest version that is whole, None when there is none."""
    return next((version for version in versions(path) if is_whole(path, version)), None)


def sweep(path: Path) -> None:
    """Delete what a killed writer left half written. Lance's own cleaning keeps some of it for ever."""
    for folder in (path, path / "data", path / VERSIONS, path / "_transactions"):
        for file in itertools.chain(folder.glob(".tmp*"), folder.glob("*#*")):
            file.unlink(missing_ok=True)


def complaints(path: Path) -> list[str]:
    """Say which of the newest versions of a dataset are not whole."""
    found = versions(path)
    whole = newest_whole(path)
    place = f"{path.parent.name}/{path.name}"
    if whole is None:
        return [f"{place}: no version of it is whole"] if found else []
    return [f"{place}: version {version} is not whole" for version in found[: found.index(whole)]]


def is_untouched(path: Path) -> bool:
    """Tell whether no manifest of a dataset was ever set aside."""
    return not (path / QUARANTINE).exists()


def quarantine_broken(path: Path) -> None:
    """Set aside the newest manifests until one is whole.

    If none is whole the dataset is renamed to `<name>.broken-<n>` beside, and the path is free again.
    """
    found = versions(path)
    whole = newest_whole(path)
    if found and whole is None:
        path.rename(_free_name(path))
        return
    for version in found[: found.index(whole)] if whole is not None else []:
        (path / QUARANTINE).mkdir(exist_ok=True)
        (path / VERSIONS / manifest_name(version)).rename(
            _free_name(path / QUARANTINE / manifest_name(version))
        )
        (path / VERSIONS / HINT).unlink(missing_ok=True)


def _read_size(file: Path) -> int:
    """Return the size of a file that can be opened, 0 when there is none."""
    with contextlib.suppress(FileNotFoundError), file.open("rb") as stream:
        return stream.seek(0, 2)
    return 0


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.broken-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
