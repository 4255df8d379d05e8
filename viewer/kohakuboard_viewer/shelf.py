"""Keep runs open between requests, and hand out what is known of them.

A Run of the reader is for one thread at a time, and requests are answered by several: each opened run has a
lock, the list of all runs has one of its own, with runs of its own. Pages never hold a Run; they get a
RunView or a Row, whose parts the reader replaces and does not change.
"""

from __future__ import annotations

import gc
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import is_
from pathlib import Path
from typing import Any, Final

from kohakuboard.errors import NotARunError, RunNotFoundError
from kohakuboard.reader import Entry, Metric, Run, Workspace, open_run

from .colours import Colour, colour_of
from .rows import Placed, Row, row_of
from .table import Table, version_of

__all__ = ["RunView", "Shelf", "view_of"]

# As many as are drawn in one chart. One that has ended holds no file open.
_OPEN_RUNS: Final = 1024
_KEPT_TABLES: Final = 16

_MANY_RUNS: Final = 1000


@dataclass(frozen=True, slots=True)
class RunView(Placed):
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
    colour: Colour
    version: str


class Shelf:
    """Find the runs under a root, or those of one project there."""

    def __init__(self, root: Path, project: str | None = None) -> None:
        self.root = root.absolute()
        self._project = project
        self._workspace = Workspace(self.root)
        self._listing = threading.Lock()
        self._entries: Sequence[Entry] = ()
        self._glance = True
        self._known: dict[
            int, tuple[Entry, Row]
        ] = {}  # by the entry's id: as long as that is kept, no other has it
        self._rows: list[Row] = []
        self._tables: dict[str | None, Table] = {}
        self._versions: dict[str | None, str] = {}  # of the rows as they are
        self._opening = threading.Lock()
        self._opened: OrderedDict[Path, tuple[threading.Lock, Run]] = OrderedDict()
        self._lent: dict[tuple[str, str], tuple[float, threading.Lock, Run]] = {}

    def runs(self, project: str | None = None) -> Sequence[Row]:
        """Return all runs as they are now, or those of a project by either of its names, newest first."""
        with self._listing:
            self._list()
            return self._chosen(project)

    def version(self, project: str | None = None) -> str:
        """Return a word that is another when one of the runs is."""
        with self._listing:
            self._list()
            if (version := self._versions.get(project)) is None:
                version = self._versions[project] = version_of(self._chosen(project))
            while len(self._versions) > _KEPT_TABLES:
                del self._versions[next(iter(self._versions))]
            return version

    def table(self, project: str | None = None) -> Table:
        """Return the runs as a table."""
        with self._listing:
            self._list()
            rows, before = self._chosen(project), self._tables.pop(project, None)
            same = before is not None and len(before) == len(rows) and all(map(is_, before.rows, rows))
            table = self._tables[project] = before if before is not None and same else Table(rows, before)
            while len(self._tables) > _KEPT_TABLES:
                del self._tables[next(iter(self._tables))]
            return table

    def forget(self) -> None:
        """Look at every run at the next request: something was changed."""
        self._glance = False
        self._lent.clear()

    def _list(self) -> None:
        """Read the runs that changed."""
        glance, self._glance = self._glance, True
        with _in_one_go(many=not self._known):
            entries = self._workspace.entries(glance=glance)
            if entries is self._entries:
                return
            known, self._known, self._entries = self._known, {}, entries
            self._versions.clear()
            root, real, folders = str(self.root), os.path.realpath(self.root), dict[str, bool]()
            for entry in entries:
                found = known.get(id(entry))
                if found is None and _is_inside(root, *entry.run.place, real, folders):
                    found = entry, row_of(entry.run)
                if found is not None:
                    self._known[id(entry)] = found
            self._rows = [row for _, row in self._known.values()]

    def _chosen(self, project: str | None) -> Sequence[Row]:
        wanted = {name for name in (project, self._project) if name is not None}
        return [row for row in self._rows if wanted <= {row.folder, row.project}] if wanted else self._rows

    def view(self, project: str, run_id: str) -> RunView:
        """Return one run as it is now. Raises RunNotFoundError."""
        with self.run(project, run_id) as run:
            return view_of(run)

    @contextmanager
    def run(self, project: str, run_id: str, fresh_s: float = 0.0) -> Iterator[Run]:
        """Lend a run, refreshed, for the length of a with block; one that has ended may be as it was `fresh_s` ago.

        Raises RunNotFoundError.
        """
        lent_at, lock, run = self._lent.get((project, run_id), (-math.inf, None, None))
        now = time.monotonic()
        if lock is not None and run is not None and now - lent_at < fresh_s and run.status != "running":
            with lock:
                yield run
            return
        lock, run, is_new = self._open(self.path(project, run_id))
        with lock:
            if not is_new:
                run.refresh()
            self._lent[project, run_id] = now, lock, run
            yield run

    def row(self, project: str, run_id: str) -> Row:
        """Return one run as lists show it. Raises RunNotFoundError."""
        with self.run(project, run_id) as run:
            return row_of(run)

    def is_inside(self, path: Path) -> bool:
        """Tell whether a run is under the root in truth: links may lead anywhere."""
        return _is_inside(
            str(path.parent.parent), path.parent.name, path.name, os.path.realpath(self.root), {}
        )

    def path(self, project: str, run_id: str) -> Path:
        """Return a run's directory; the project is named by its directory or as the user called it."""
        if not (_is_plain(project) and _is_plain(run_id)) or self._project not in (None, project):
            raise RunNotFoundError(self.root, f"{project}/{run_id}")
        path = self.root / project / run_id
        if path.is_dir() and self.is_inside(path):
            return path
        for row in self.runs(project):
            if row.id == run_id:
                return self.root / row.folder / run_id
        raise RunNotFoundError(self.root, f"{project}/{run_id}")

    def _open(self, path: Path) -> tuple[threading.Lock, Run, bool]:
        """Return a run and its lock, and whether it was opened, and with that read, just now."""
        with self._opening:
            kept = self._opened.get(path)
            if is_new := kept is None or not path.is_dir():
                self._opened.pop(path, None)
                kept = threading.Lock(), self._opened_anew(path)
            self._opened[path] = kept
            self._opened.move_to_end(path)
            while len(self._opened) > _OPEN_RUNS:
                self._opened.popitem(last=False)
                self._lent.clear()
        return *kept, is_new

    def _opened_anew(self, path: Path) -> Run:
        try:
            return open_run(path)
        except NotARunError as exc:
            raise RunNotFoundError(self.root, f"{path.parent.name}/{path.name}") from exc


@contextmanager
def _in_one_go(*, many: bool) -> Iterator[None]:
    """Pause the search for reference cycles, and leave what was read `many` of out of it from then on.

    A million objects that stay: it took a second each time it went through them.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if many:
            gc.freeze()
        if was_enabled:
            gc.enable()


def _is_inside(above: str, folder: str, own_id: str, root: str, folders: dict[str, bool]) -> bool:
    """Tell whether the run above/folder/own_id is under a root in truth, looking at each folder once."""
    path = f"{above}{os.sep}{folder}"
    inside = folders.get(folder)
    if inside is None:
        inside = folders[folder] = os.path.realpath(path).startswith(f"{root}{os.sep}")
    return inside and not os.path.islink(f"{path}{os.sep}{own_id}")


def _is_plain(name: str) -> bool:
    """Tell whether a part of a URL can name one directory and nothing else."""
    return bool(name) and name not in (".", "..") and not any(mark in name for mark in "/\\\0")


def view_of(run: Run) -> RunView:
    """Return what is known of a run that was just refreshed."""
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
        colour=colour_of(run.path.name, run.colour),
        version=run.seen_version,
    )
