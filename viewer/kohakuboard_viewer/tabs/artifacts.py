"""Artifacts: which versions the run made, what they are called and who used them, and which ones it used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kohakuboard.reader import ArtifactFile, ArtifactVersion, Run

from .. import present
from .base import Ask, Paging, Tab

__all__ = ["TAB"]

_PER_PAGE: Final = 100
_MOST_FILES: Final = 200


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    query = ask.words("q")
    words = present.split_words(query)
    found = [one for one in run.artifacts if present.has_words(words, one.name, one.type, *one.aliases)]
    used = [one for one in run.used_artifacts if present.has_words(words, one.name, one.type, one.run)]
    paging = Paging.of(ask, len(found), _PER_PAGE)
    uses_paging = Paging.of(ask, len(used), _PER_PAGE, "uses")
    return {
        "query": query,
        "paging": paging,
        "artifacts": [(one, _files(one)) for one in found[paging.begin : paging.end]],
        "uses_paging": uses_paging,
        "uses": used[uses_paging.begin : uses_paging.end],
        "here": f"{run.path.parent.name}/{run.path.name}",
    }


def _files(version: ArtifactVersion) -> list[ArtifactFile]:
    """Return the files that can be fetched: of a reference none, as they lie outside of the run."""
    return [] if version.reference else version.files[:_MOST_FILES]


TAB = Tab("artifacts", "Artifacts", lambda run: len(run.artifacts) + len(run.used_artifacts), _show)
