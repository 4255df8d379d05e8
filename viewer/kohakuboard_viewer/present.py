"""Put runs into the words and numbers that a page shows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from kohakuboard.reader import leaves

__all__ = [
    "duration",
    "flatten",
    "has_words",
    "instant",
    "main_metrics",
    "moment",
    "namespace",
    "number",
    "plain",
    "size",
    "split_words",
    "text",
]

_THOUSANDS: Final = "\u202f"  # a narrow space that does not break: 1 000 000
_EMPTY: Final = "–"
_LONGEST_TEXT: Final = 2000

_VALIDATION: Final = re.compile(r"(^|[/_.\- ])(val|valid|validation|eval|test)([/_.\- ]|$)", re.IGNORECASE)
_QUALITY: Final = re.compile(
    r"loss|acc|f1|auc|iou|bleu|rouge|wer|ppl|perplexity|mse|mae|psnr|ssim|fid|score|reward|return",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(
    r"^(system|time|timer|perf)/|(^|[/_.\- ])(lr|epoch|step|grad|norm|time)", re.IGNORECASE
)


def number(value: object) -> str:
    """Return a number with about five significant digits, as static/format.js does; other values as text."""
    if value is None:
        return _EMPTY
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return text(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", _THOUSANDS)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size = abs(value)
    if (size < 1e9 and value.is_integer()) or 1e4 <= size < 1e6:
        return f"{value:,.0f}".replace(",", _THOUSANDS)
    if 1e-4 <= size < 1e4:
        return f"{value:.5g}"
    mantissa, _, exponent = f"{value:.4e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    hours = whole // 3600
    return f"{hours} h {whole // 60 % 60:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def size(n_bytes: int) -> str:
    """Return a size in the largest unit that it has one of."""
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def moment(when: datetime, now: datetime) -> str:
    """Return a time as people say it at `now`, in now's time zone; a dash for 1970, which means unknown."""
    local = when.astimezone(now.tzinfo)
    if local.year <= 1970:
        return _EMPTY
    if local.date() == now.date():
        return f"today {local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == now.year else f"{local.day} {local:%b %Y}"


def instant(seconds: float) -> datetime:
    """Return a time in s since 1970 UTC as one that has words."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def plain(value: object) -> str:
    """Return a value as text, JSON where it is a list."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    if value is None or isinstance(value, bool | int | list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def text(value: object) -> str:
    """Return a value of a config or an environment as text of a bearable length."""
    shown = plain(value)
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + " …"


def flatten(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested mappings as ("optimizer.lr", "0.001")."""
    return ((path, text(value)) for path, value in leaves(values))


def split_words(query: str) -> list[str]:
    """Return the words of a filter in lower case."""
    return query.lower().split()


def has_words(words: Iterable[str], *texts: str | None) -> bool:
    """Tell whether every word occurs in one of the texts."""
    whole = "\n".join(text for text in texts if text).lower()
    return all(word in whole for word in words)


def namespace(name: str) -> str:
    """Return what a metric is grouped by: its name up to the first "/"; "" for a name without one."""
    head, slash, _ = name.partition("/")
    return head if slash else ""


def main_metrics(counts: Mapping[str, int], limit: int) -> list[str]:
    """Choose the columns of a table of runs out of the names of metrics, each with the number of runs that have it.

    Of the metrics that at least half as many runs have as have the commonest one: validation before training,
    losses and scores before the rest, the commoner first. Learning rates, times and system metrics only if
    nothing else is.
    """
    if not counts:
        return []
    commonest = max(counts.values())
    shared = [name for name, count in counts.items() if 2 * count >= commonest]
    telling = [name for name in shared if not _ASIDE.search(name)] or shared
    return sorted(telling, key=lambda name: (*_importance(name), -counts[name]))[:limit]


def _importance(name: str) -> tuple[bool, bool]:
    return not _VALIDATION.search(name), not _QUALITY.search(name)
