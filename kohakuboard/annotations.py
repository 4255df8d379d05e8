"""Say something of a run afterwards, and put runs aside: what the viewer's list and `kobo tag` and its like do.

from kohakuboard.annotations import annotate, restore, trash

annotate("kohakuboard/default/20261123-101530-calm-otter-3f9a", add_tags=["baseline"], notes="the one to beat")

A run may be annotated while it is logged to: its writer is not disturbed, and what is said travels with the run's
directory. Runs that are put into the trash lie in `<root>/.trash/<project>/<run>` until somebody deletes that folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from . import errors as _errors
from . import reader as _reader
from .journal import lock as _lock
from .storage import annotations as _storage

__all__ = ["COLOURS", "KEEP", "TRASH", "annotate", "restore", "trash", "trashed"]

TRASH: Final = ".trash"
COLOURS: Final = ("blue", "vermilion", "teal", "purple", "pink", "gold", "wine", "sky")

LONGEST_NAME: Final = 500
LONGEST_NOTES: Final = 100_000
MOST_TAGS: Final = 100

# Of runs with the same directory that were put into the trash one after the other.
_NUMBERED: Final = re.compile(r"~\d+$")


class _Keep:
    """Stand for an argument that was not given, where None means something."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final[Any] = _Keep()


def annotate(
    run: str | Path,
    *,
    name: str | None = KEEP,
    notes: str | None = KEEP,
    colour: str | None = KEEP,
    pinned: bool = KEEP,
    archived: bool = KEEP,
    add_tags: Iterable[str] = (),
    remove_tags: Iterable[str] = (),
) -> None:
    """Change what is said of a run; what is not given stays.

    Raises NotARunError, SettingError, RunBusyError or OSError.

    Args:
        run: The directory of the run.
        name: What people call it; None for the name that it gave itself.
        notes: Free text; None for its own.
        colour: One of COLOURS; None for the one that its id gives it.
        pinned: Whether it stands at the top of lists.
        archived: Whether lists leave it out.
        add_tags: Tags to add.
        remove_tags: Tags to remove, also of those that it gave itself.
    """
    path = _reader.open_run(run).path
    values = {"name": name, "notes": notes, "colour": colour, "pinned": pinned, "archived": archived}
    given: dict[str, Any] = {key: value for key, value in values.items() if value is not KEEP}
    _check(given)
    added, removed = _tags(add_tags), _tags(remove_tags)

    def change(known: _storage.Annotations) -> _storage.Annotations:
        tags = {tag: None for tag in (*known.tags_added, *added) if tag not in removed}
        without = {tag: None for tag in (*known.tags_removed, *removed) if tag not in added}
        if len(tags) > MOST_TAGS:
            raise _errors.SettingError("add_tags", len(tags), f"a run has {MOST_TAGS} added tags at most")
        return replace(known, **given, tags_added=tuple(tags), tags_removed=tuple(without))

    _storage.change_annotations(path, change)


def _check(given: dict[str, Any]) -> None:
    """Raise SettingError for a value that cannot be."""
    name, notes, colour = given.get("name"), given.get("notes"), given.get("colour")
    if name is not None and not 0 < len(name.strip()) <= LONGEST_NAME:
        raise _errors.SettingError("name", name[:80], f"give it 1 to {LONGEST_NAME} characters")
    if notes is not None and len(notes) > LONGEST_NOTES:
        raise _errors.SettingError(
            "notes", f"{notes[:40]} …", f"give them {LONGEST_NOTES} characters at most"
        )
    if colour is not None and colour not in COLOURS:
        raise _errors.SettingError("colour", colour, f"choose one of {', '.join(COLOURS)}")


def _tags(tags: Iterable[str]) -> list[str]:
    found = [tag.strip() for tag in ([tags] if isinstance(tags, str) else tags)]
    for tag in found:
        if not 0 < len(tag) <= LONGEST_NAME:
            raise _errors.SettingError("tag", tag[:80], f"give it 1 to {LONGEST_NAME} characters")
    return found


def trash(run: str | Path) -> Path:
    """Move a run into the trash of its root and return where it lies. Raises NotARunError, RunBusyError or OSError.

    A run that is logged to, or whose writer is at work, stays where it is.
    """
    opened = _reader.open_run(run)
    path = opened.path
    if opened.status == "running" or not _is_idle(path):
        raise _errors.RunBusyError(path)
    target = _free(path.parents[1] / TRASH / path.parent.name / path.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(path, target)
    return target


def restore(run: str | Path) -> Path:
    """Move a run from the trash to where it was and return that. Raises NotARunError, RunExistsError or OSError."""
    path = _reader.open_run(run).path
    if path.parents[1].name != TRASH:
        raise _errors.NotARunError(
            path, f"it does not lie in a {TRASH} folder, so there is nothing to restore"
        )
    target = path.parents[2] / path.parent.name / _NUMBERED.sub("", path.name)
    if target.exists():
        raise _errors.RunExistsError(target)
    target.parent.mkdir(exist_ok=True)
    os.rename(path, target)
    return target


def trashed(root: str | Path) -> list[Path]:
    """Return the directories of the runs in the trash of a root, by project and name."""
    return sorted(path for path in Path(root).absolute().glob(f"{TRASH}/*/*") if path.is_dir())


def _is_idle(path: Path) -> bool:
    """Tell whether no writer of this machine works on a run."""
    for file in path.glob(".writer-*.lock"):
        lock = _lock.FileLock(file)
        if not lock.acquire():
            return False
        lock.release()
    return True


def _free(path: Path) -> Path:
    """Return a path that is not taken: itself, or with a number behind it."""
    if not path.exists():
        return path
    return next(
        candidate
        for number in range(2, 1_000_000)
        if not (candidate := path.with_name(f"{path.name}~{number}")).exists()
    )
