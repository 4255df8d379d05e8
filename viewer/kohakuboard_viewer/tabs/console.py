"""What the run printed: its last lines, in colour, or those with some words or of one stream."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from kohakuboard.reader import Console, ConsoleLine, Run

from .. import present
from ..ansi import Pen, paint
from ..kept import Kept
from .base import Ask, Tab

__all__ = ["TAB", "PaintedLine"]

_SHOWN: Final = 500
_MOST_SHOWN: Final = 4_000
_SEARCHED: Final = 200_000
_STREAMS: Final = ("stdout", "stderr")
_LONGEST: Final = 2000
_LIMIT_BYTES: Final = 16 * 1024 * 1024
_FOUND: Final = Kept[Console](_LIMIT_BYTES, lambda lines: 500 + len(lines) * 300)
_FILE: Final = re.compile(r"console(?:\.(\d{1,9}))?\.log(\.live)?")


@dataclass(frozen=True, slots=True)
class PaintedLine:
    """Hold one line as it is shown: `time` of day and `date` in this machine's time zone, pieces with their classes."""

    key: str
    time: str
    date: str
    stream: str
    pieces: Sequence[tuple[str, str]]
    cut: int


def _ranks(run: Run) -> list[int]:
    found = (_FILE.fullmatch(path.name) for path in run.path.glob("console*.log*"))
    return sorted({int(match[1] or 0) for match in found if match})


def _version(run: Run) -> str:
    return f"{run.seen_version}-{_state(run)}"


def _state(run: Run) -> str:
    """Return a word that is another whenever more was printed."""
    states = []
    for path in sorted(run.path.glob("console*.log*")):
        try:
            stat = path.stat()
        except OSError:
            continue  # a line that was not finished is, now
        states.append(f"{path.name} {stat.st_size} {stat.st_mtime_ns}")
    return f"{hash(tuple(states)) & 0xFFFFFFFFFFFF:x}"


def _show(run: Run, ask: Ask) -> Mapping[str, Any]:
    ranks = _ranks(run)
    rank = ask.within("rank", 0, 0, 2**31)
    if rank not in ranks and ranks:
        rank = ranks[0]
    limit = ask.within("last", _SHOWN, 1, _MOST_SHOWN)
    query = ask.words("q")
    stream = next((each for each in _STREAMS if each == ask.words("stream")), None)
    lines, more = _lines(run, rank, query, stream, limit)
    return {
        "query": query,
        "ranks": ranks,
        "rank": rank,
        "streams": _STREAMS,
        "stream": stream,
        "timed": ask.words("times") != "0",
        "lines": _painted(lines),
        "more": min(limit * 4, _MOST_SHOWN) if more and limit < _MOST_SHOWN else None,
        "searched": _SEARCHED,
        "n_bytes": _size(run, rank),
    }


def _lines(
    run: Run, rank: int, query: str, stream: Literal["stdout", "stderr"] | None, limit: int
) -> tuple[Console, bool]:
    """Return the last lines that are asked for, and whether there are more."""
    if not query and stream is None:
        lines = run.console(rank, last=limit + 1)
    else:
        key = (run.path, rank, query, stream, limit)
        lines = _FOUND.get(key, _state(run), lambda: _found(run, rank, query, stream, limit + 1))
    return lines[-limit:], len(lines) > limit


def _found(run: Run, rank: int, query: str, stream: Literal["stdout", "stderr"] | None, most: int) -> Console:
    words = present.split_words(query)
    return run.console(rank, last=_SEARCHED).having(*words, stream=stream, most=most)


def _size(run: Run, rank: int) -> int:
    try:
        return (run.path / (f"console.{rank}.log" if rank else "console.log")).stat().st_size
    except OSError:
        return 0


def _painted(lines: Iterable[ConsoleLine]) -> list[PaintedLine]:
    painted: list[PaintedLine] = []
    pens: defaultdict[str, Pen] = defaultdict(Pen)
    seen: Counter[str] = Counter()
    for line in lines:
        moment = line.time.isoformat() if line.time else ""
        seen[moment] += 1
        local = line.time.astimezone() if line.time else None
        pieces, pens[line.stream] = paint(line.text[:_LONGEST], pens[line.stream])
        painted.append(
            PaintedLine(
                key=f"{moment}-{seen[moment]}",
                time=f"{local:%H:%M:%S}" if local else "",
                date=f"{local:%Y-%m-%d %H:%M:%S.%f}" if local else "",
                stream=line.stream,
                pieces=pieces,
                cut=max(len(line.text) - _LONGEST, 0),
            )
        )
    return painted


TAB = Tab("console", "Console", lambda run: len(_ranks(run)), _show, version=_version, counted=False)
