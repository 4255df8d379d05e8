"""Log Accelerate training to KohakuBoard: `Accelerator(log_with=[KohakuBoardTracker("my-project")])`."""

from .tracker import KohakuBoardTracker

__all__ = ["KohakuBoardTracker"]
