"""Words: Text."""

from __future__ import annotations

from typing import Any, Final, Literal

from ...errors import RichValueError
from ...journal.stage import Stage
from ..plain import storable_text
from .base import Rich

__all__ = ["FORMATS", "Text"]

FORMATS: Final = ("plain", "markdown", "html")
LARGEST_CHARACTERS: Final = 64 << 20


class Text(Rich):
    """Show text.

    `format` says how: "plain" as it is, "markdown", or "html", which is only ever shown in a frame of its own that runs
    no script of the page. `text` is anything that has a str(); it may have 64 Mi characters.
    """

    def __init__(self, text: Any, format: Literal["plain", "markdown", "html"] = "plain") -> None:  # noqa: A002
        with self.refused_later(text):
            if format not in FORMATS:
                raise RichValueError(
                    "Text", format, f"format must be one of {', '.join(FORMATS)}, not {format!r}"
                )
            self._text, self._format = str(text), format
            if len(self._text) > LARGEST_CHARACTERS:
                reason = f"it has {len(self._text)} characters; up to {LARGEST_CHARACTERS} are stored"
                raise RichValueError("Text", self._text[:80], reason)

    def _item(self, stage: Stage) -> dict[str, Any]:
        text = storable_text(self._text).encode()
        return {"type": "text", "format": self._format, "text": stage.data(text)}
