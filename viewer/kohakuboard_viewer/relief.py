"""Draw a map of histograms in relief, as paths of an SVG: as ridges one before the other, or as a surface.

The oldest step is at the back. Both are drawn in a box of 1000 × 400 from back to front, so that what stands before
hides what is behind it; the server draws them, and pages need no script for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .heat import Heat

__all__ = ["HEIGHT", "WIDTH", "Path", "ridges", "surface"]

Float64 = npt.NDArray[np.float64]

WIDTH, HEIGHT = 1000.0, 400.0
_RISE: Final = 90.0  # of the highest ridge
_SHEAR: Final = 260.0  # how far to the right the back of a surface lies
_TALL: Final = 150.0  # of the highest point of a surface
_LEVELS: Final = 8
# The root shows the thin tails of a distribution beside its peak, as the map does.
_SHADE: Final = np.sqrt


@dataclass(frozen=True, slots=True)
class Path:
    """Hold the path of a shape, the classes that say how it is painted, and what is said of it."""

    d: str
    classes: str
    title: str = ""


def ridges(heat: Heat, step: int | None) -> list[Path]:
    """Return a curve for each column; that of a step is marked."""
    height = _heights(heat)
    n = len(height)
    x = np.linspace(0, WIDTH, heat.share.shape[1] + 2)
    bases = np.linspace(_RISE, HEIGHT - 2, n) if n > 1 else np.array([HEIGHT - 2])
    chosen = _column(heat, step)
    found = []
    for i, (row, base) in enumerate(zip(height, bases.tolist(), strict=True)):
        y = base - np.concatenate(([0.0], row, [0.0])) * _RISE
        classes = "ridge chosen" if i == chosen else "ridge"
        found.append(Path(_line(x, y), classes, f"step {heat.step_lo[i]}"))
    return found


def surface(heat: Heat, step: int | None) -> list[Path]:
    """Return strips between neighbouring columns, in faces of one level each, and the line of a step over them."""
    height = _heights(heat)
    if len(height) == 1:
        height = np.repeat(height, 2, axis=0)
    x, y = _projected(height)
    level = np.minimum((height[:-1, :-1] + height[1:, 1:]) / 2 * _LEVELS, _LEVELS - 1).astype(int)
    chosen = _column(heat, step)
    found = []
    for i in range(len(height) - 1):
        for each in np.unique(level[i]).tolist():
            faces = (_face(x, y, i, j) for j in np.flatnonzero(level[i] == each).tolist())
            found.append(Path("".join(faces), f"face level-{each}"))
        if i == chosen:
            found.append(Path(_line(x[i], y[i]), "chosen"))
    if chosen == len(height) - 1:
        found.append(Path(_line(x[-1], y[-1]), "chosen"))
    return found


def _projected(height: Float64) -> tuple[Float64, Float64]:
    """Return where the points of a surface lie on the paper."""
    back = np.linspace(1, 0, len(height))[:, None]
    along = np.linspace(0, WIDTH - _SHEAR, height.shape[1])[None, :]
    x = along + back * _SHEAR
    y = HEIGHT - 4 - back * (HEIGHT - _TALL - 10) - height * _TALL
    return x, y


def _heights(heat: Heat) -> Float64:
    share: Float64 = heat.share / max(float(heat.share.max(initial=0)), 1e-300)
    return _SHADE(share)


def _column(heat: Heat, step: int | None) -> int | None:
    """Return the column that a step is in; None before the first."""
    place = int(np.searchsorted(heat.step_lo, step, side="right")) - 1 if step is not None else -1
    return place if place >= 0 else None


def _face(x: Float64, y: Float64, i: int, j: int) -> str:
    corners = ((i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j))
    return "M" + "L".join(f"{x[at]:.0f},{y[at]:.0f}" for at in corners) + "z"


def _line(x: Sequence[float] | Float64, y: Sequence[float] | Float64) -> str:
    return "M" + "L".join(f"{a:.1f},{b:.1f}" for a, b in zip(list(x), list(y), strict=True))
