"""Give each run a colour, the same on every page and in every session, that colour-blind eyes tell from the others.

Eight hues in two shades were searched for under the simulations of Machado and others (2009): however one sees, any two
of them are at least 0.1 apart in OKLab, and each has a contrast of 3 to its ground. More hues would come too close, so
the pattern of a line tells apart what shares one: 32 looks in all.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["DASHES", "HUES", "Colour", "colour_of"]


class Colour(NamedTuple):
    """Say how a run is drawn.

    Args:
        name: What people call it; style sheets know it as the class `hue-<name>`.
        light: The hue on a light ground, as #rrggbb.
        dark: The hue on a dark ground.
        dash: The pattern of a line, lengths of strokes and gaps in pixels; () for a solid one.
    """

    name: str
    light: str
    dark: str
    dash: tuple[int, ...] = ()


HUES: Final = (
    Colour("blue", "#6c6ce1", "#6387cf"),
    Colour("vermilion", "#c63609", "#fc8709"),
    Colour("teal", "#006c63", "#5abd75"),
    Colour("purple", "#5a00a2", "#9036fc"),
    Colour("pink", "#f35a99", "#fca2bd"),
    Colour("gold", "#b49000", "#bdd86c"),
    Colour("wine", "#751b00", "#bd2d48"),
    Colour("sky", "#09a2c6", "#09d8fc"),
)
DASHES: Final[tuple[tuple[int, ...], ...]] = ((), (8, 4), (2, 3), (10, 3, 2, 3))

_BY_NAME: Final = {hue.name: hue for hue in HUES}


@lru_cache(maxsize=4096)
def colour_of(run_id: str, chosen: str | None = None) -> Colour:
    """Return how a run is drawn: by its id, or in the hue that somebody chose for it."""
    # Not hash(): that is another one in each process.
    number = zlib.crc32(run_id.encode("utf-8", "surrogatepass"))
    hue = _BY_NAME.get(chosen or "") or HUES[number % len(HUES)]
    return hue._replace(dash=DASHES[number // len(HUES) % len(DASHES)])
