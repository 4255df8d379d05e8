"""What a run printed, with the time of each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple, overload

from ..journal.console import BOTH, NOTE, STDERR, STDOUT, console_path, parse_line, read_lines

__all__ = ["Console", "ConsoleLine", "read_console"]

Stream = Literal["stdout", "stderr", "both", "note"]
STREAMS: Final[dict[bytes, Stream]] = {STDOUT: "stdout", STDERR: "stderr", BOTH: "both", NOTE: "note"}

# Where in a line its stream and its text stand.
_MARK: Final = 28
_TEXT: Final = 30


class ConsoleLine(NamedTuple):
    """Hold one line that was printed.

    A progress bar is one line, in its last state. `stream` is "stdout" or "stderr"; "both" where the two lead to one
    place, such as a terminal, and which of them it was is not known; or "note" for what kohakuboard says of the file.
    """

    time: datetime | None  # UTC; None for what a crash of the machine left of a line
    stream: Stream
    text: str


class Console(Sequence[ConsoleLine]):
    """Hold lines in the order they were printed. They are decoded when they are asked for."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    @property
    def text(self) -> str:
        """Return the text alone, without times and notes."""
        parts = []
        for line in self._lines:
            said = parse_line(line)
            if said is None or said.mark != NOTE:
                parts.append(line if said is None else said.text)
                parts.append(b"" if said is not None and said.goes_on else b"\n")
        return b"".join(parts).decode("utf-8", "replace")

    def having(self, *words: str, stream: Stream | None = None, most: int | None = None) -> Console:
        """Return the lines that hold all of some words, whatever the case of their ASCII letters.

        Args:
            words: Parts of a text.
            stream: Only lines of this stream; those of which it is not known belong to either.
            most: How many lines at most, the last ones; the others are not even looked at.
        """
        wanted = [word.lower().encode("utf-8", "surrogatepass") for word in words]
        marks = b"12|#" if stream is None else {"stdout": b"1|", "stderr": b"2|"}.get(stream, b"#")
        found: list[bytes] = []
        for line in reversed(self._lines):
            if stream is not None and line[_MARK : _MARK + 1] not in marks:
                continue
            text = line[_TEXT:].lower() if wanted else b""
            if all(word in text for word in wanted):
                found.append(line)
                if len(found) == most:
                    break
        return Console(found[::-1])

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, which: int) -> ConsoleLine: ...

    @overload
    def __getitem__(self, which: slice) -> Console: ...

    def __getitem__(self, which: int | slice) -> ConsoleLine | Console:
        return Console(self._lines[which]) if isinstance(which, slice) else _decoded(self._lines[which])

    def __iter__(self) -> Iterator[ConsoleLine]:
        return map(_decoded, self._lines)

    def __repr__(self) -> str:
        return f"<Console of {len(self)} lines>"


def read_console(run: Path, rank: int = 0, last: int | None = None) -> Console:
    """Return what a rank printed, all or the last few lines; nothing when it printed nothing."""
    return Console(read_lines(console_path(run, rank), last))


def _decoded(line: bytes) -> ConsoleLine:
    said = parse_line(line)
    if said is None:
        return ConsoleLine(None, "both", line.decode("utf-8", "replace"))
    return ConsoleLine(
        datetime.fromisoformat(said.time), STREAMS[said.mark], said.text.decode("utf-8", "replace")
    )
