"""Let LightningCLI take `--trainer.logger KohakuBoardLogger`.

The autoload hook calls it, see ../_kohakuboard_hook.py.
"""

from __future__ import annotations

from types import ModuleType

__all__ = ["register"]


def register(module: ModuleType) -> None:
    """Import the logger: jsonargparse finds a class by its bare name among the subclasses that are loaded."""
    from .logger import KohakuBoardLogger
    from .roots import adopt

    adopt(KohakuBoardLogger)
