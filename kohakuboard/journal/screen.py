"""What a stream shows on a terminal, as far as lines go: a progress bar is one line, however often it is drawn.

A line that is left with a newline is complete, unless it was drawn over (with a carriage return or by moving up to it):
bars are left to draw the one below and then come back to. Such lines stay open until they have not been visited for
SETTLED_US, until ordinary text is printed below them, or until MOST_OPEN lines are open.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Row", "Screen"]

MOST_OPEN: Final = 32
SETTLED_US: Final = 1_000_000

# What moves the cursor or erases; all other sequences, such as colours, are text.
_MOVE: Final = re.compile(rb"(\n|\r|\x08|\x1b\[\d*[ABEFJK])")
_CUT_SHORT: Final = re.compile(rb"\x1b(\[\d{0,4})?\Z")
_COLOUR: Final = re.compile(rb"\x1b\[[\d;]*m")
# States that a later one is drawn over, as a quick loop without pauses leaves them.
_OVERWRITTEN: Final = re.compile(rb"\r[^\r\n\x1b\x08]*(?=\r[^\r\n])")
_LONGEST_ROW: Final = 64 << 10


class Row:
    """Hold one line that is not complete."""

    __slots__ = ("drawn_over", "text", "time_us")

    def __init__(self, time_us: int) -> None:
        self.text = b""
        self.time_us = time_us
        self.drawn_over = False


class Screen:
    """Turn what is written to a stream into lines. Times are in µs; each call must be given a later one."""

    def __init__(self) -> None:
        self._rows = [Row(0)]
        self._at = 0
        self._returned = False  # to the beginning of the line: what comes next replaces it
        self._rest = b""
        self._done: list[tuple[int, bytes]] = []

    @property
    def open_rows(self) -> list[tuple[int, bytes]]:
        """Return time and text of what is not complete, from top to bottom."""
        return [(row.time_us, row.text) for row in self._rows if row.text]

    def feed(self, data: bytes, now_us: int) -> list[tuple[int, bytes]]:
        """Take what was written; return the lines that it makes complete, with their times."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        row = self._rows[0]
        if len(self._rows) == 1 and not row.drawn_over and not self._returned and not _moves(data):
            self._feed_plain(row, data, now_us)
        else:
            self._feed_moves(data, now_us)
        done, self._done = self._done, []
        return done

    def end(self) -> list[tuple[int, bytes]]:
        """Return what was not complete, as lines, and begin anew."""
        for row in self._rows:
            self._complete(row)
        done = self._done
        self.__init__()  # type: ignore[misc]
        return [(time_us, text) for time_us, text in done if text]

    def _feed_plain(self, row: Row, data: bytes, now_us: int) -> None:
        data = self._hold_back(data)
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = row.text + lines[0]
            self._done += [(now_us, line) for line in lines]
            row.text = b""
        if rest:
            # One µs later than the lines before it: see the format.
            row.text, row.time_us = row.text + rest, now_us + 1
            self._limit(row)

    def _feed_moves(self, data: bytes, now_us: int) -> None:
        for part in _MOVE.split(_OVERWRITTEN.sub(b"", self._hold_back(data))):
            if part == b"\n":
                self._go_down(now_us)
            elif part == b"\r":
                self._returned = True
            elif part[:2] == b"\x1b[" and _MOVE.fullmatch(part):
                self._move(part[-1:], int(part[2:-1] or b"0"), now_us)
            elif part:
                self._draw(part, now_us)
        while len(self._rows) > MOST_OPEN or (self._at > 0 and self._rows[0].time_us < now_us - SETTLED_US):
            self._complete_first()

    def _hold_back(self, data: bytes) -> bytes:
        """Keep a sequence that the end of the data cuts in two."""
        if found := _CUT_SHORT.search(data[-8:]):
            self._rest = found[0]
            return data[: len(data) - len(found[0])]
        return data

    def _draw(self, text: bytes, now_us: int) -> None:
        row = self._visit(now_us)
        if text == b"\x08":
            row.text = row.text[:-1]
            return
        if self._returned:
            row.text, row.drawn_over = b"", True
            self._returned = False
        row.text += text
        self._limit(row)

    def _visit(self, now_us: int) -> Row:
        row = self._rows[self._at]
        row.time_us = now_us + 1
        return row

    def _go_down(self, now_us: int) -> None:
        row = self._visit(now_us)
        self._returned = False
        self._at += 1
        if self._at < len(self._rows):
            self._visit(now_us)
            self._returned = True
            return
        self._rows.append(Row(now_us + 1))
        if not row.drawn_over:
            row.time_us = now_us
            while self._at > 0:
                self._complete_first()

    def _move(self, how: bytes, count: int, now_us: int) -> None:
        row = self._rows[self._at]
        if how in b"AF":
            self._at = max(self._at - max(count, 1), 0)
        elif how in b"BE":
            self._at = min(self._at + max(count, 1), len(self._rows) - 1)
        elif count == 2 or self._returned:  # erase: the whole line, or from its beginning on
            row.text, row.drawn_over = b"", True
        if how == b"J":
            del self._rows[self._at + 1 :]
        if how in b"EF":
            self._returned = True
        self._visit(now_us).drawn_over = True

    def _complete_first(self) -> None:
        self._complete(self._rows.pop(0))
        self._at = max(self._at - 1, 0)

    def _complete(self, row: Row) -> None:
        # A bar that is erased when it is done leaves nothing.
        if not row.drawn_over or _COLOUR.sub(b"", row.text).strip():
            self._done.append((row.time_us, row.text.rstrip() if row.drawn_over else row.text))

    def _limit(self, row: Row) -> None:
        # A line without an end is handed on in parts.
        if len(row.text) > _LONGEST_ROW:
            self._done.append((row.time_us, row.text))
            row.text = b""


def _moves(data: bytes) -> bool:
    return b"\r" in data or b"\x08" in data or (b"\x1b[" in data and _MOVE.search(data) is not None)
