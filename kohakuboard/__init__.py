"""Experiment tracking for machine learning: local first, costs training nothing, loses nothing.

from kohakuboard import Board

board = Board(config={"lr": 1e-3})
board.log(loss=0.5)
board.finish()
"""

from .client import Board, Figure, Histogram, KernelDensity, Media, Table, Tensor, Text
from .errors import KohakuBoardError

__version__ = "0.1.0"

__all__ = [
    "Board",
    "Figure",
    "Histogram",
    "KernelDensity",
    "KohakuBoardError",
    "Media",
    "Table",
    "Tensor",
    "Text",
    "__version__",
]

# What the .pth file of the installation does at each start of Python, for where no .pth file is run: scripts may say
# report_to="kohakuboard" and its like from here on.
try:
    from _kohakuboard_hook import install as _install
except ModuleNotFoundError:  # a checkout that is not installed
    pass
else:
    _install()
