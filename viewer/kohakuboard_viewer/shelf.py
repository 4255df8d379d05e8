"""Keep runs open between requests, and hand out what is known of them.

A Run of the reader is for one thread at a time, and requests are answered by several: each opened run has a
lock, the list of all runs has one of its own, with runs of its own. Pages never hold a Run; they get a
RunView, whose parts the reader replaces and does not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from kohakuboard.errors import NotARunError, RunNotFoundError
from kohakuboard.reader import Entry, Metric, Run, Workspace, open_run

__all__ = ["RunView", "Shelf", "view_of"]

_OPEN_RUNS: Final = 32


@dataclass(frozen=True, slots=True)
class RunView:
    """Hold what pages show of a run, as it was at one moment; `folder` and `id` name its directories."""

    folder: str
    id: str
    name: str
    project: str
    group: str | None
    notes: str | None
    tags: Sequence[str]
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    status: str
    error: str | None
    problems: Sequence[str]
    started: datetime
    ended: datetime | None
    duration_s: float
    last_step: int | None
    version: str

    @property
    def live(self) -> bool:
        """Tell whether more is to come."""
        return self.status == "running"

    @property
    def url(self) -> str:
        """Return the path of the run's page."""
        return f"/run/{quote(self.folder, safe='')}/{quote(self.id, safe='')}"

    @property
    def project_url(self) -> str:
        """Return the path of the page of the run's project."""
        return f"/p/{quote(self.folder, safe='')}"


class Shelf:
    """Find the runs under a root, or those of one project there."""

    def __init__(self, root: Path, project: str | None = None) -> None:
        self.root = root.absolute()
        self._project = project
        self._workspace = Workspace(self.root)
        self._listing = threading.Lock()
        self._listed: dict[Path, tuple[Entry, RunView]] = {}
        self._opening = threading.Lock()
        self._opened: OrderedDict[Path, tuple[threading.Lock, Run]] = OrderedDict()

    def runs(self, project: str | None = None) -> list[RunView]:
        """Return all runs, or those of a project by either of its names, newest first."""
        wanted = {name for name in (project, self._project) if name is not None}
        with self._listing:
            views = self._views()
        return [view for view in views if wanted <= {view.folder, view.project}]

    def _views(self) -> list[RunView]:
        """Return what is known of all runs; of one that has not changed the view of last time."""
        known, self._listed = self._listed, {}
        for entry in self._workspace.entries():
            seen, view = known.get(entry.run.path, (None, None))
            if view is None or seen is not entry:
                view = view_of(entry.run)
            self._listed[entry.run.path] = entry, view
        return [view for _, view in self._listed.values()]

    def view(self, project: str, run_id: str) -> RunView:
        """Return one run as it is now. Raises RunNotFoundError."""
        with self.run(project, run_id) as run:
            return view_of(run)

    @contextmanager
    def run(self, project: str, run_id: str) -> Iterator[Run]:
        """Lend a run, refreshed, for the length of a with block. Raises RunNotFoundError."""
        lock, run = self._open(self._path(project, run_id))
        with lock:
            run.refresh()
            yield run

    def _path(self, project: str, run_id: str) -> Path:
        """Return a run's directory; the project is named by its directory or as the user called it."""
        if not (_is_plain(project) and _is_plain(run_id)) or self._project not in (None, project):
            raise RunNotFoundError(self.root, f"{project}/{run_id}")
        path = self.root / project / run_id
        if path.is_dir():
            return path
        for view in self.runs(project):
            if view.id == run_id:
                return self.root / view.folder / run_id
        raise RunNotFoundError(self.root, f"{project}/{run_id}")

    def _open(self, path: Path) -> tuple[threading.Lock, Run]:
        with self._opening:
            kept = self._opened.get(path)
            if kept is None or not path.is_dir():
                self._opened.pop(path, None)
                kept = threading.Lock(), self._opened_anew(path)
            self._opened[path] = kept
            self._opened.move_to_end(path)
            while len(self._opened) > _OPEN_RUNS:
                self._opened.popitem(last=False)
        return kept

    def _opened_anew(self, path: Path) -> Run:
        try:
            return open_run(path)
        except NotARunError as exc:
            raise RunNotFoundError(self.root, f"{path.parent.name}/{path.name}") from exc


def _is_plain(name: str) -> bool:
    """Tell whether a part of a URL can name one directory and nothing else."""
    return bool(name) and name not in (".", "..") and not any(mark in name for mark in "/\\\0")


def view_of(run: Run) -> RunView:
    """Return what is known of a run."""
    # The version first, since asking for it takes in what is new: a page may be newer than its version says, and
    # is then fetched once too often, but never older.
    version = run.version
    return RunView(
        folder=run.path.parent.name,
        id=run.path.name,
        name=run.name,
        project=run.project,
        group=run.group,
        notes=run.notes,
        tags=run.tags,
        config=run.config,
        summary=run.summary,
        metrics=run.metrics,
        status=run.status,
        error=run.error,
        problems=run.problems,
        started=run.started,
        ended=run.ended,
        duration_s=run.duration_s,
        last_step=run.last_step,
        version=version,
    )
