"""Take images and figures that were logged as they are: `board.log(plot=figure)` for `board.log(plot=Figure(figure))`.

They are recognised by the name of the package that their class is from; nothing is imported for it.
"""

from __future__ import annotations

from typing import Any

from .base import Rich
from .drawing import is_matplotlib, is_plotly
from .figure import Figure
from .media import Media

__all__ = ["wrapped"]


def wrapped(value: Any) -> Rich | None:
    """Return a rich value of an image of Pillow, or of a figure of matplotlib or Plotly; None of all else."""
    package = type(value).__module__.partition(".")[0]
    if package == "PIL" and hasattr(value, "getbands"):
        return Media(value)
    if (package == "matplotlib" and is_matplotlib(value)) or (package == "plotly" and is_plotly(value)):
        return Figure(value)
    return None
