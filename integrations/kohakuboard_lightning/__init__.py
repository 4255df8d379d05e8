"""Log Lightning training to KohakuBoard: `Trainer(logger=KohakuBoardLogger())`.

One class serves `lightning`, `pytorch_lightning` and Fabric. What a maintainer must know stands in `logger`
(one job is one run) and `roots` (the separate copies of Lightning).
"""

from .callback import KohakuBoardCallback
from .logger import KohakuBoardLogger

__all__ = ["KohakuBoardCallback", "KohakuBoardLogger"]
