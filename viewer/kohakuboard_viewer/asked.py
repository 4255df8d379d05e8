"""What the URL of a table of runs asks for: all that can be set there, so that a link is a saved view.

q         the filter, see query.py
col       a column, again for each; without any, those that tell most are chosen
sort      the column to sort by, with "-" before it for the largest first
group     a column to group by, again for each
width     "<pixels>:<column>", again for each column that was resized
page      from 1
archived  1: archived runs, too
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

__all__ = ["Asked"]

_MOST_COLUMNS: Final = 100
_MOST_GROUPS: Final = 4
_LONGEST_KEY: Final = 600
_WIDTHS: Final = (40, 1200)


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what is asked of a table; `columns` None for those that are chosen by themselves."""

    query: str = ""
    columns: tuple[str, ...] | None = None
    sort: str = ""
    descending: bool = False
    groups: tuple[str, ...] = ()
    widths: dict[str, int] = field(default_factory=dict)
    page: int = 1
    archived: bool = False

    @classmethod
    def of(cls, query: QueryParams) -> Asked:
        """Read a query. What makes no sense is taken as not asked."""
        sort = query.get("sort", "")[:_LONGEST_KEY]
        return cls(
            query=query.get("q", "").strip(),
            columns=_keys(query.getlist("col"), _MOST_COLUMNS) or None,
            sort=sort.removeprefix("-"),
            descending=sort.startswith("-"),
            groups=_keys(query.getlist("group"), _MOST_GROUPS),
            widths=dict(filter(None, map(_width, query.getlist("width")[:_MOST_COLUMNS]))),
            page=_whole(query.get("page", "")),
            archived=query.get("archived") == "1",
        )

    def link(self, **changes: Any) -> str:
        """Return a link to this page with other wishes; all but a change of the page lead to the first one."""
        return "?" + "&".join(map(_encoded, replace(self, **{"page": 1, **changes}).pairs()))

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """Return what makes a URL of it, and what a form has to hand on."""
        found = [
            ("q", self.query),
            *(("col", key) for key in self.columns or ()),
            ("sort", f"-{self.sort}" if self.descending else self.sort),
            *(("group", key) for key in self.groups),
            *(("width", f"{width}:{key}") for key, width in self.widths.items()),
            ("archived", "1" if self.archived else ""),
            ("page", str(self.page) if self.page > 1 else ""),
        ]
        return [(name, value) for name, value in found if value and name not in without]


@lru_cache(maxsize=1024)
def _encoded(pair: tuple[str, str]) -> str:
    """Return a part of a URL: the links of a page with 50 columns are made of 100 of them, 200 times over."""
    return urlencode([pair])


def _keys(asked: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key in asked if 0 < len(key) <= _LONGEST_KEY))[:most]


def _width(asked: str) -> tuple[str, int] | None:
    pixels, _, key = asked.partition(":")
    if not key or _whole(pixels) == 1:
        return None
    return key, min(max(_whole(pixels), _WIDTHS[0]), _WIDTHS[1])


def _whole(text: str) -> int:
    """Return a whole number from 1 on, 1 for what is none."""
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 10 else 1
