"""Many runs: a root directory with projects in it, and runs in those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import AmbiguousRunError, NotARunError, RunNotFoundError
from .run import Run, is_run

__all__ = ["Workspace", "find_workspace"]


class Workspace:
    """Give access to all runs under a root, keeping each opened one to refresh it cheaply."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self._runs: dict[Path, Run] = {}

    def runs(self) -> list[Run]:
        """Return all runs, refreshed, the newest first. A run that cannot be read is among them, and says why."""
        found = {path: self._open(path) for path in self._paths()}
        self._runs = found
        return sorted(found.values(), key=lambda run: (run.started, run.id), reverse=True)

    def projects(self) -> list[str]:
        """Return the names of the directories that hold runs, in alphabetical order."""
        return sorted({path.parent.name for path in self._paths()})

    def run(self, wanted: str) -> Run:
        """Return the run with an id, "project/id", or beginning of an id.

        Raises RunNotFoundError or AmbiguousRunError.
        """
        project, _, run_id = wanted.rpartition("/")
        paths = [path for path in self._paths() if not project or path.parent.name == project]
        matches = [path for path in paths if path.name == run_id]
        if not matches and run_id:
            matches = [path for path in paths if path.name.startswith(run_id)]
        if not matches:
            raise RunNotFoundError(self.root, wanted)
        if len(matches) > 1:
            raise AmbiguousRunError(wanted, (f"{path.parent.name}/{path.name}" for path in matches))
        return self._open(matches[0])

    def _open(self, path: Path) -> Run:
        run = self._runs.get(path)
        if run is None:
            run = self._runs[path] = Run(path)
        else:
            run.refresh()
        return run

    def _paths(self) -> Iterator[Path]:
        for project in _directories(self.root):
            for directory in _directories(project):
                if is_run(directory):
                    yield directory


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
    if any(is_run(child) for child in _directories(directory)):
        return Workspace(directory.parent), directory.name, None
    return Workspace(directory), None, None


def _directories(path: Path) -> list[Path]:
    try:
        return sorted(child for child in path.iterdir() if child.is_dir())
    except OSError:
        return []
