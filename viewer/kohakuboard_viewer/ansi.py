"""Turn the colours of a terminal into the classes of a style sheet.

Pages allow no style of their own, so a colour is the nearest of the sixteen that terminals have names for; these are
legible on either ground. All other control sequences, which move cursors or name windows, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

__all__ = ["Pen", "paint"]

# Colours and such (SGR); and everything else that a terminal would not show.
_CONTROL: Final = re.compile(
    r"\x1b\[([\d;:]*)m"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_MOST_CODES: Final = 64

# The sixteen, as xterm has them.
_SIXTEEN: Final = (
    *(
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
    ),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)),
    (255, 255, 255),
)
_STYLES: Final = {1: "bold", 2: "dim", 3: "italic", 4: "underlined", 7: "inverse", 9: "struck"}
_ENDS: Final = {22: ("bold", "dim"), 23: ("italic",), 24: ("underlined",), 27: ("inverse",), 29: ("struck",)}


@dataclass(frozen=True, slots=True)
class Pen:
    """Hold how text is written from here on: a colour of text and of ground from 0 to 15, and styles."""

    ink: int | None = None
    ground: int | None = None
    styles: frozenset[str] = frozenset()

    @property
    def classes(self) -> str:
        """Return the classes of the style sheet."""
        found = [f"ink-{self.ink}"] if self.ink is not None else []
        found += [f"ground-{self.ground}"] if self.ground is not None else []
        return " ".join([*found, *sorted(self.styles)])


def paint(text: str, pen: Pen) -> tuple[list[tuple[str, str]], Pen]:
    """Return pieces of text with the classes of each, and how text is written behind it."""
    pieces: list[tuple[str, str]] = []
    at = 0
    for found in _CONTROL.finditer(text):
        if found.start() > at:
            pieces.append((pen.classes, text[at : found.start()]))
        at = found.end()
        if found[1] is not None:
            pen = _changed(pen, found[1])
    if at < len(text):
        pieces.append((pen.classes, text[at:]))
    return pieces, pen


def _changed(pen: Pen, text: str) -> Pen:
    codes = iter([int(code[:4] or 0) for code in text.replace(":", ";").split(";")[:_MOST_CODES]])
    for code in codes:
        if code == 0:
            pen = Pen()
        elif code in _STYLES:
            pen = replace(pen, styles=pen.styles | {_STYLES[code]})
        elif code in _ENDS:
            pen = replace(pen, styles=pen.styles - set(_ENDS[code]))
        elif code in (38, 48):
            colour = _extended(codes)
            pen = replace(pen, ink=colour) if code == 38 else replace(pen, ground=colour)
        else:
            pen = _coloured(pen, code)
    return pen


def _coloured(pen: Pen, code: int) -> Pen:
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(pen, ink=code - 30 if code < 90 else code - 82)
    if 40 <= code <= 47 or 100 <= code <= 107:
        return replace(pen, ground=code - 40 if code < 100 else code - 92)
    if code == 39:
        return replace(pen, ink=None)
    return replace(pen, ground=None) if code == 49 else pen


def _extended(codes: Iterator[int]) -> int | None:
    """Return the nearest of the sixteen of what follows 38 or 48."""
    kind = next(codes, 0)
    if kind == 2:
        return _nearest([next(codes, 0) for _ in range(3)])
    if kind != 5:
        return None
    number = next(codes, 0)
    if number < 16:
        return number
    if number < 232:
        levels = (0, 95, 135, 175, 215, 255)
        return _nearest([levels[(number - 16) // share % 6] for share in (36, 6, 1)])
    return _nearest([8 + 10 * (number - 232)] * 3)


def _nearest(colour: Sequence[int]) -> int:
    distances = [sum((a - b) ** 2 for a, b in zip(colour, known, strict=True)) for known in _SIXTEEN]
    return distances.index(min(distances))
