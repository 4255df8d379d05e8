from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.markdown import markdown


def test_markdown_becomes_html() -> None:
    html = markdown("# Title\n\n- *one*\n\n| a | b |\n|--:|---|\n| 1 | ~~2~~ |\n\n```\n<code>\n```\n")
    for part in (
        "<h1>Title</h1>",
        "<em>one</em>",
        '<th class="align-right">a</th>',
        "<s>2</s>",
        "&lt;code&gt;",
    ):
        assert part in html
    assert "style=" not in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](http://evil.example/a.png)",
        "<javascript:alert(1)>",
        '[x](http://a "onmouseover=alert(1)")',
        "```<script>\n</code></pre><script>alert(1)</script>\n```",
        "[" * 3000,
        "> " * 3000,
        "*a" * 20_000,
    ],
)
def test_nothing_that_was_written_runs_or_is_loaded(text: str) -> None:
    html = markdown(text)
    assert not re.search(r"<(?!/?(p|pre|code|a|em|strong|blockquote|ul|ol|li|h\d|hr|br|s)[\s>/])", html)
    assert not re.search(r'<[^>]*\s(href|src)="\s*(javascript|data|vbscript)', html, re.IGNORECASE)
    assert not re.search(r"<[a-z][^>]*\son[a-z]+=[^>\"]*>", html.replace("&quot;", ""))


def test_a_text_too_long_to_be_rendered_is_shown_as_it_was_written() -> None:
    assert markdown("<b>" + "x" * 300_000).startswith("<pre>&lt;b&gt;xxx")


@given(st.text(st.sampled_from("<>&\"'[]()!`*_#|-:\\ \nax/")))
def test_whatever_is_written_no_element_of_its_own_gets_through(text: str) -> None:
    allowed = r"</?(p|pre|code|a|em|strong|blockquote|ul|ol|li|h\d|hr|br|s|table|thead|tbody|tr|th|td)[\s>/]"
    assert not re.sub(allowed, "", markdown(text)).count("<")
