"""Recognise figures of matplotlib and Plotly without importing either, and turn them into bytes.

A figure is drawn while training waits, since whoever made it goes on drawing on it: 50 to 200 ms for a simple plot of
matplotlib, a few for the JSON of Plotly.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

__all__ = ["is_matplotlib", "is_plotly", "matplotlib_bytes", "plotly_bytes", "svg_points"]

# Of the same figure the same bytes: no date, and no numbers drawn by lot.
_SAME: Final = {"svg.hashsalt": "kohakuboard"}


def is_matplotlib(value: Any) -> bool:
    """Tell whether a value is a figure of matplotlib, axes of one, or pyplot itself."""
    if isinstance(value, ModuleType):
        return value.__name__ == "matplotlib.pyplot"
    for kind in type(value).__mro__:
        if kind.__module__.startswith("matplotlib."):
            return hasattr(value, "savefig") or hasattr(value, "get_figure")
    return False


def is_plotly(value: Any) -> bool:
    """Tell whether a value is a figure of Plotly, or a dict as its JSON holds it."""
    if isinstance(value, Mapping):
        return isinstance(value.get("data"), list | tuple)
    return hasattr(type(value), "to_plotly_json") and hasattr(type(value), "to_json")


def matplotlib_bytes(value: Any, form: str) -> bytes:
    """Draw a figure as "svg" or "png"."""
    figure, buffer = _figure(value), io.BytesIO()
    if form == "png":
        # Level 1, as for all pictures: a fifth of the time of the default.
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
    else:
        with sys.modules["matplotlib"].rc_context(_SAME):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def svg_points(value: Any) -> int:
    """Return about how many points a drawing in lines would have."""
    total = 0
    for axes in _figure(value).axes:
        total += sum(len(line.get_xdata(orig=False)) for line in axes.lines)
        total += sum(len(patch.get_path().vertices) for patch in axes.patches)
        for collection in axes.collections:
            total += max(
                len(collection.get_offsets()), sum(len(path.vertices) for path in collection.get_paths())
            )
    return total


def _figure(value: Any) -> Any:
    if isinstance(value, ModuleType):
        return value.gcf()
    return value if hasattr(value, "savefig") else value.get_figure()


def plotly_bytes(value: Any) -> bytes:
    """Return a figure as JSON."""
    text = json.dumps(_plain(value)) if isinstance(value, Mapping) else value.to_json()
    return str(text).encode()


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a dict that a user wrote by hand, arrays in it included."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
