"""Many runs: a root directory with projects in it, and runs in those."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import AmbiguousRunError, NotARunError, RunNotFoundError
from .listing import Entry, Listing, directories
from .run import Run, is_run

__all__ = ["Workspace", "find_workspace"]


class Workspace:
    """Give access to all runs under a root, keeping each opened one to refresh it cheaply."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self._listing = Listing(self.root)

    def runs(self) -> list[Run]:
        """Return all runs, refreshed, the newest first. A run that cannot be read is among them, and says why."""
        return [entry.run for entry in self._listing.entries()]

    def entries(self, *, glance: bool = False) -> Sequence[Entry]:
        """Return the same runs as entries: as long as a run rests and nothing about it changes, the same object.

        With `glance`, for who asks every few seconds, ended runs are taken to be as they were, unless our own programs
        changed them; what others do to one of them is seen within ten minutes.
        """
        return self._listing.entries(glance=glance)

    def projects(self) -> list[str]:
        """Return the names of the directories that hold runs, in alphabetical order."""
        return sorted({path.parent.name for path in self._listing.paths()})

    def run(self, wanted: str) -> Run:
        """Return the run with an id, "project/id", or beginning of an id.

        Raises RunNotFoundError or AmbiguousRunError.
        """
        project, _, run_id = wanted.rpartition("/")
        paths = [path for path in self._listing.paths() if not project or path.parent.name == project]
        matches = [path for path in paths if path.name == run_id]
        if not matches and run_id:
            matches = [path for path in paths if path.name.startswith(run_id)]
        if not matches:
            raise RunNotFoundError(self.root, wanted)
        if len(matches) > 1:
            raise AmbiguousRunError(wanted, (f"{path.parent.name}/{path.name}" for path in matches))
        return self._listing.open(matches[0])


def find_workspace(path: str | Path) -> tuple[Workspace, str | None, Run | None]:
    """Tell what a directory is: a root, one project of it, or one run.

    Returns the workspace around it, the name of the project's directory and the run, the last two None where the
    directory is above them. Raises NotARunError when it does not exist.
    """
    directory = Path(path).absolute()
    if not directory.is_dir():
        raise NotARunError(directory, "there is no such directory")
    if is_run(directory):
        workspace = Workspace(directory.parent.parent)
        return workspace, directory.parent.name, workspace.run(f"{directory.parent.name}/{directory.name}")
    if any(is_run(Path(child)) for child in directories(str(directory))):
        return Workspace(directory.parent), directory.name, None
    return Workspace(directory), None, None
