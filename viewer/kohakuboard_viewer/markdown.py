"""Render Markdown that anybody may have written: HTML in it stays text, and nothing is loaded from anywhere."""

from __future__ import annotations

from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

__all__ = ["markdown"]

# Rendering takes time in proportion to it; beyond this a text is shown as it was written.
_LONGEST: Final = 200_000


def markdown(text: str) -> Markup:
    """Return a text as HTML for a page of ours.

    Images are links, since a page may load pictures from its own server only; columns of tables are aligned by class,
    since it allows no style.
    """
    if len(text) > _LONGEST:
        return Markup("<pre>{}</pre>").format(text)  # escaped by format
    tokens = _parser().parse(text)
    for token in tokens:
        if style := token.attrs.pop("style", None):
            token.attrJoin("class", f"align-{str(style).removeprefix('text-align:')}")
    try:
        return Markup(_parser().renderer.render(tokens, _parser().options, {}))
    except RecursionError:
        return Markup("<pre>") + escape(text) + Markup("</pre>")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
