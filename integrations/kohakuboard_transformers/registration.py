"""Make `report_to="kohakuboard"` known to transformers.

The autoload hook calls it, see ../_kohakuboard_hook.py.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any, Final

__all__ = ["NAME", "register"]

NAME: Final = "kohakuboard"
# "all" is the default of transformers 4: there it takes us in only when asked to.
ALL_VARIABLE: Final = "KOHAKUBOARD_REPORT_TO_ALL"
FIRST_MAJOR_OF_ALL: Final = 5


def register(module: ModuleType) -> None:
    """Add the callback to what `transformers.integrations.integration_utils` offers, unless it has one of that name."""
    known: dict[str, Any] = module.INTEGRATION_TO_CALLBACK
    if NAME in known:
        return
    from .callback import KohakuBoardCallback

    known[NAME] = KohakuBoardCallback
    if _is_part_of_all():
        _join_all(module)


def _is_part_of_all() -> bool:
    import transformers

    wanted = os.environ.get(ALL_VARIABLE)
    major = int(transformers.__version__.partition(".")[0])
    return wanted == "1" if wanted else major >= FIRST_MAJOR_OF_ALL


def _join_all(module: ModuleType) -> None:
    others = module.get_available_reporting_integrations

    def get_available_reporting_integrations() -> list[str]:
        return [*others(), NAME]

    # The package hands on the names of its modules, and keeps those that were asked for.
    for holder in (module, sys.modules["transformers.integrations"]):
        if "get_available_reporting_integrations" in vars(holder):
            holder.get_available_reporting_integrations = get_available_reporting_integrations  # type: ignore[attr-defined]
