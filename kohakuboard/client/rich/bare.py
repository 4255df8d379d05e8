"""Take what was logged as it is: `board.log(plot=figure)` for `board.log(plot=Figure(figure))`.

Images and figures are recognised by the name of the package that their class is from; nothing is imported for it. A
string is a text, unless it is a number: whoever logs "0.5" means 0.5, and is told to.
"""

from __future__ import annotations

from typing import Any

from .base import Rich
from .drawing import is_matplotlib, is_plotly
from .figure import Figure
from .media import Media
from .text import Text

__all__ = ["wrapped"]


def wrapped(value: Any) -> Rich | None:
    """Return a rich value of a text, an image of Pillow, or a figure of matplotlib or Plotly; None of all else."""
    if isinstance(value, str):
        return None if _is_number(value) else Text(value)
    package = type(value).__module__.partition(".")[0]
    if package == "PIL" and hasattr(value, "getbands"):
        return Media(value)
    if (package == "matplotlib" and is_matplotlib(value)) or (package == "plotly" and is_plotly(value)):
        return Figure(value)
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
