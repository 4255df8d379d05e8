"""Read runs: from a finished one, a running one, or one that was killed; changes nothing.

from kohakuboard.reader import Workspace, open_run

run = open_run("kohakuboard/default/20261123-101530-calm-otter-3f9a")
steps, times, losses, _ = run.series("train/loss")
"""

from ..storage.packed import last_values
from ..storage.summary import Metric
from .alerts import Alert
from .artifacts import ArtifactFile, ArtifactUse, ArtifactVersion
from .attempts import Attempt, RankStatistics
from .console import Console, ConsoleLine
from .following import Followed, Mark
from .listing import Entry
from .nested import leaves
from .rich import (
    DensityEntry,
    HistogramSeries,
    MediaEntry,
    StoredFile,
    TableEntry,
    TablePage,
    TensorEntry,
    TextEntry,
)
from .run import ByStep, Run, Series, open_run
from .workspace import Workspace, find_workspace

__all__ = [
    "Alert",
    "ArtifactFile",
    "ArtifactUse",
    "ArtifactVersion",
    "Attempt",
    "ByStep",
    "Console",
    "ConsoleLine",
    "DensityEntry",
    "Entry",
    "Followed",
    "HistogramSeries",
    "Mark",
    "MediaEntry",
    "Metric",
    "RankStatistics",
    "Run",
    "Series",
    "StoredFile",
    "TableEntry",
    "TablePage",
    "TensorEntry",
    "TextEntry",
    "Workspace",
    "find_workspace",
    "last_values",
    "leaves",
    "open_run",
]
