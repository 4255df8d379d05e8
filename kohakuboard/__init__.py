"""Experiment tracking for machine learning: local first, costs training nothing, loses nothing.

from kohakuboard import Board

board = Board(config={"lr": 1e-3})
board.log(loss=0.5)
board.finish()
"""

from .client import Board, Histogram, Media, Table
from .errors import KohakuBoardError

__version__ = "0.1.0"

__all__ = ["Board", "Histogram", "KohakuBoardError", "Media", "Table", "__version__"]
