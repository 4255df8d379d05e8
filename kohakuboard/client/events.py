"""What is said of a run beside what its calls log: config and summary, tags, alerts, artifacts, what is under way.

Each is an event of the journal, written at once and in order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BoardClosedError
from ..journal.stage import StagingError
from ..masking import masked
from .alerts import Alerts
from .artifacts import UnusableArtifactError, artifact_event, find_artifact, use_event
from .journalling import Journalling
from .mappings import LoggedMapping
from .plain import describe, text_of, words

if TYPE_CHECKING:
    from ..reader import ArtifactVersion

__all__ = ["Events"]


class Events(Journalling):
    """Give a board what it says of its run."""

    _alerts: Alerts
    _has_changed: bool
    _under_way: str | None

    def add_tags(self, *tags: str) -> None:
        """Add words to find the run by."""
        added = words(tags)
        self._start["tags"] += added
        self._write_event({"type": "tags", "add": added})

    def alert(
        self,
        title: str,
        text: str = "",
        level: Literal["info", "warning", "error"] = "info",
        *,
        wait_s: float = 0.0,
    ) -> None:
        """Alert people: the run's page shows it, and a webhook gets it where one is configured.

        It is stored like all that is logged, once and in order. It is sent by the background writer, at least once, and
        given up after three tries; see `Board(webhook=…)`. Raises BoardClosedError after `finish()`, and nothing else.

        Args:
            title: What happened, in a few words; cut at 300 characters.
            text: More about it; cut at 10 000 characters.
            level: How bad it is.
            wait_s: Leave out an alert whose title was used less than so many seconds ago by this process.
        """
        if event := self._alerts.event(title, text, level, wait_s, self._event_step(), self._refuse):
            self._write_event(event)

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        type: str = "artifact",  # noqa: A002
        aliases: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        reference: bool = False,
    ) -> None:
        """Keep a file or a directory as a version of an artifact: a checkpoint, a dataset.

        Versions are numbered v0, v1 … within the project, over all of its runs; the same content is the same version,
        and only gets the new aliases. `latest` is the one that was logged last.

        When this returns the files may be changed or deleted: they were copied, which takes as long as `cp`, and no
        time at all on btrfs and XFS. With `reference` nothing is copied: path, size, time and checksum are kept, and
        the files must stay as they are. Hashing is done by the background writer.

        What cannot be logged is refused whole, in one warning that names the path. Raises BoardClosedError after
        `finish()`, and nothing else.

        Args:
            path: The file or directory. Links are followed.
            name: What it is asked for by, without "/" and ":"; by default the path's last part.
            type: What it is, such as model or dataset.
            aliases: More names for this version; each stands for the version that got it last, such as "best".
            metadata: More about it, of any shape and types.
            reference: Whether to keep where it is instead of a copy.
        """
        try:
            event = artifact_event(
                path,
                name,
                type,
                aliases,
                metadata,
                reference=reference,
                run=self.path,
                stage=lambda: self._shard.stage,
                step=self._event_step(),
                complain=self._refuse,
            )
        except BoardClosedError:
            raise
        except UnusableArtifactError as exc:
            self._refuse(f"artifact {exc}", f"the artifact was not logged: {exc}")
        except StagingError as exc:
            self._drops.add(self._event_step(), exc, values=1)
        except Exception as exc:  # noqa: BLE001  (the boundary, as in _log_each)
            self._refuse("artifact", f"the artifact {describe(path)} was not logged: {describe(exc)}")
        else:
            self._write_event(event)

    def use_artifact(self, name: str) -> ArtifactVersion:
        """Return a version of an artifact, whose `path` can be read, and note that this run used it.

        "model" and "model:latest" are the version that a run of this project logged last, "model:v3" is one by its
        number, "model:best" by an alias. "run id/model:best" looks in one run only, "project/model:best" and
        "project/run id/model:best" in another project. What this run has just logged is waited for. Raises
        ArtifactNotFoundError, and BoardClosedError after `finish()`.
        """
        if self.closed:
            raise BoardClosedError(self.name)
        version = find_artifact(self.path, name)
        self._write_event(use_event(version, name, self._event_step()))
        return version

    @property
    def under_way(self) -> str | None:
        """What the program is to bring to its end, such as a training; set it to None when that has come.

        A program that ends before, even with exit code 0, leaves the run `interrupted` instead of finished.
        """
        return self._under_way

    @under_way.setter
    def under_way(self, what: str | None) -> None:
        self._under_way = text_of(what)
        self._write_event({"type": "under_way", "what": self._under_way})

    def _make_mappings(self) -> None:
        self.config = LoggedMapping(lambda changed, removed: self._event("config", masked(changed), removed))
        self.summary = LoggedMapping(lambda changed, removed: self._event("summary", changed, removed))

    def _event(self, kind: str, changed: dict[str, Any], removed: list[str]) -> None:
        self._has_changed = True
        self._write_event({"type": kind, "set": changed, "remove": removed})
