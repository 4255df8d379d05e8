"""What the arguments of `kobo` mean: DIR is a root, a project or a run, and RUN one run, by a path or an id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

if TYPE_CHECKING:
    from kohakuboard.reader import Run, Workspace

__all__ = ["DEFAULT_ROOT", "ROOT_VARIABLE", "Place", "default_root", "find", "find_run", "full_id"]

DEFAULT_ROOT = "kohakuboard"
ROOT_VARIABLE = "KOHAKUBOARD_DIR"


@dataclass(frozen=True, slots=True)
class Place:
    """Say which part of a workspace a DIR argument names."""

    workspace: Workspace
    project: str | None
    run: Run | None

    @property
    def directory(self) -> Path:
        """The directory itself."""
        return self.run.path if self.run is not None else self.workspace.root / (self.project or "")

    @property
    def url_path(self) -> str:
        """The page of the viewer that shows this place."""
        if self.run is not None:
            return f"/run/{quote(full_id(self.run))}"
        return f"/p/{quote(self.project, safe='')}" if self.project is not None else "/"

    def runs(self) -> list[Run]:
        """Return the runs of this place, newest first."""
        if self.run is not None:
            return [self.run]
        return [run for run in self.workspace.runs() if self.project in (None, run.path.parent.name)]


def find(directory: Path) -> Place:
    """Resolve a DIR argument; one that is no directory is a mistake in the command line."""
    from kohakuboard.reader import find_workspace

    if not directory.exists():
        raise click.UsageError(
            f"there is no directory {str(directory)!r}; name one that holds runs, or set {ROOT_VARIABLE}"
        )
    if not directory.is_dir():
        raise click.UsageError(f"{str(directory)!r} is a file; name a root, a project or a run directory")
    return Place(*find_workspace(directory))


def find_run(wanted: str) -> Run:
    """Resolve a RUN argument: a path wins over an id."""
    path = Path(wanted)
    if path.is_dir() and (run := find(path).run) is not None:
        return run
    return find(default_root()).workspace.run(wanted)


def default_root() -> Path:
    """Return where runs are when nobody says so."""
    import os

    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)


def full_id(run: Run) -> str:
    """Return what finds a run in its workspace: its place, which odd characters in names do not reach."""
    return f"{run.path.parent.name}/{run.path.name}"
