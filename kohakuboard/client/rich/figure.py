"""Plots: Figure."""

from __future__ import annotations

from typing import Any, Final

from ...errors import RichValueError
from ...journal.stage import Stage, StagingError
from ..plain import describe, storable_text
from .base import Rich
from .drawing import is_matplotlib, is_plotly, matplotlib_bytes, plotly_bytes, svg_points

__all__ = ["Figure"]

FORMATS: Final = (None, "svg", "png")
# Beyond these a drawing in lines is slower to make and to show than its pixels.
MOST_POINTS: Final = 20_000
LARGEST_SVG_BYTES: Final = 2 << 20
LARGEST_BYTES: Final = 64 << 20


class Figure(Rich):
    """Show a plot made with matplotlib or Plotly.

    The figure is drawn when it is logged, since it may be drawn on afterwards: matplotlib takes 50 to 200 ms for it, in
    which training waits. Plotly's stay interactive.

    Args:
        figure: A figure of matplotlib, axes of one, or `pyplot` for the current one; a figure of Plotly, or a dict with
            its "data" and "layout".
        caption: What is said of it.
        format: Of a figure of matplotlib: "svg" or "png". By default SVG, unless that would be large.
    """

    def __init__(self, figure: Any, caption: str | None = None, *, format: str | None = None) -> None:  # noqa: A002
        self._figure = figure
        self._format = format
        self._caption: str | None = None
        with self.refused_later(figure):
            self._caption = storable_text(str(caption)) if caption is not None else None
            if format not in FORMATS:
                raise RichValueError("Figure", format, f'format must be "svg" or "png", not {format!r}')

    def _item(self, stage: Stage) -> dict[str, Any]:
        try:
            name, data = self._drawn()
            if len(data) > LARGEST_BYTES:
                cure = 'draw fewer points, or pass format="png"'
                raise RichValueError("Figure", self._figure, f"it has {len(data) / 1e6:.0f} MB; {cure}")
            source = {name: stage.data(data)}
        except (RichValueError, StagingError):
            raise
        except Exception as exc:
            raise RichValueError("Figure", self._figure, f"it cannot be drawn ({describe(exc)})") from exc
        return {"type": "media", "caption": self._caption, "is_figure": True, **source}

    def _drawn(self) -> tuple[str, bytes]:
        if is_matplotlib(self._figure):
            return "file", self._drawn_by_matplotlib()
        if is_plotly(self._figure):
            return "figure", plotly_bytes(self._figure)
        raise RichValueError(
            "Figure", self._figure, "pass a figure of matplotlib or Plotly; Media takes images"
        )

    def _drawn_by_matplotlib(self) -> bytes:
        if self._format is not None:
            return matplotlib_bytes(self._figure, self._format)
        if svg_points(self._figure) <= MOST_POINTS:
            data = matplotlib_bytes(self._figure, "svg")
            if len(data) <= LARGEST_SVG_BYTES:
                return data
        return matplotlib_bytes(self._figure, "png")
