"""The half that runs inside training: make a Board, log to it.

Imports neither lance, pyarrow, numpy, torch nor sqlite; see docs/architecture.md for why.
"""

from .adapter import AdapterRun, place_of, shared_board
from .board import Board, default_root, open_boards
from .console import CaptureOutput
from .names import directory_name, new_run_id, random_name
from .rich import Figure, Histogram, KernelDensity, Media, Table, Tensor, Text

__all__ = [
    "AdapterRun",
    "Board",
    "CaptureOutput",
    "Figure",
    "Histogram",
    "KernelDensity",
    "Media",
    "Table",
    "Tensor",
    "Text",
    "default_root",
    "directory_name",
    "new_run_id",
    "open_boards",
    "place_of",
    "random_name",
    "shared_board",
]
