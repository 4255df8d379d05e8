"""Log transformers training to KohakuBoard: `Trainer(callbacks=[KohakuBoardCallback()])`."""

from .callback import KohakuBoardCallback

__all__ = ["KohakuBoardCallback"]
