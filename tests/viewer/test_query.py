from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.query import (
    DEEPEST,
    MOST_CONDITIONS,
    And,
    Compare,
    Missing,
    Not,
    Or,
    Query,
    QueryError,
    Tag,
    Value,
    Word,
    parse,
    text_of,
)

BARE = st.text("abcXYZ019._/-:%é", min_size=1, max_size=8)
TEXTS = st.one_of(
    BARE, st.text(max_size=8), st.sampled_from(["and", "Or", "not", "missing", "tag:x", "tag:"])
)
VALUES = st.one_of(
    st.builds(Value, BARE.filter(lambda text: text.lower() != "missing"), st.just(False)),
    st.builds(Value, TEXTS, st.just(True)),
)
CONDITIONS: st.SearchStrategy[Query] = st.one_of(
    st.builds(Compare, TEXTS, st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~", "!~"]), VALUES),
    st.builds(Missing, TEXTS),
    st.builds(Tag, TEXTS),
    st.builds(Word, TEXTS),
)
PARTS = 3


def _joined(part: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    parts = st.lists(part, min_size=2, max_size=PARTS).map(tuple)
    return st.one_of(st.builds(Not, part), st.builds(And, parts), st.builds(Or, parts))


QUERIES = st.recursive(CONDITIONS, _joined, max_leaves=12)


@given(QUERIES)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_as_the_same(query: Query) -> None:
    assert parse(text_of(query)) == query


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_query_or_an_error_that_points_into_it(text: str) -> None:
    error = _error(text)
    if error is not None:
        assert 0 <= error.span.begin <= error.span.end <= len(text)
        assert error.message


def _error(text: str) -> QueryError | None:
    try:
        parse(text)
    except QueryError as exc:
        return exc
    return None


def test_the_example_means_what_it_says() -> None:
    assert parse("lr < 1e-3 and status = finished and tag:baseline and name ~ resnet") == And(
        (
            Compare("lr", "<", Value("1e-3")),
            Compare("status", "=", Value("finished")),
            Tag("baseline"),
            Compare("name", "~", Value("resnet")),
        )
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a b", And((Word("a"), Word("b")))),
        ("a b or c", Or((And((Word("a"), Word("b"))), Word("c")))),
        ("not a b", And((Not(Word("a")), Word("b")))),
        ("NOT (a OR b)", Not(Or((Word("a"), Word("b"))))),
        ("val/loss:min<=-0.5", Compare("val/loss:min", "<=", Value("-0.5"))),
        ('\'learning rate\'="a \\" b"', Compare("learning rate", "=", Value('a " b', quoted=True))),
        ("lr = missing", Missing("lr")),
        ("lr != missing", Not(Missing("lr"))),
        ('lr = "missing"', Compare("lr", "=", Value("missing", quoted=True))),
        ('tag:"two words"', Tag("two words")),
        ("and = 1", Compare("and", "=", Value("1"))),
        ("a == 1", Compare("a", "=", Value("1"))),
        ('"a=b"', Word("a=b")),
        ("   ", None),
    ],
)
def test_queries_are_read(text: str, meaning: Query | None) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(
    ("text", "message", "pointed_at"),
    [
        ("lr <", "a value is missing after <", "<"),
        ("lr < and x", "x", None),
        ("< 3", "a name is missing before <", "<"),
        ("(a or b", "never closed", "("),
        ("a) b", "closes nothing", ")"),
        ('name = "res', "no other one to close it", '"res'),
        ("and a", "joins conditions", "and"),
        ("a or", "missing at the end", ""),
        ("tag:", "a tag is missing", "tag:"),
        ("lr < missing", "by = and != only", "missing"),
        ("a ! b", "means nothing here", "!"),
        ("()", "missing before this )", ")"),
    ],
)
def test_an_error_says_what_is_wrong_and_points_at_it(
    text: str, message: str, pointed_at: str | None
) -> None:
    if pointed_at is None:  # a keyword where a value is due is a value
        assert parse(text) == And((Compare("lr", "<", Value("and")), Word("x")))
        return
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert message in caught.value.message
    assert text[slice(*caught.value.span)] == pointed_at


def test_what_is_too_much_is_refused_before_it_costs_anything() -> None:
    for text in ("x" * 10_000, "(" * (DEEPEST + 1), "not " * (DEEPEST + 1), "a " * (MOST_CONDITIONS + 1)):
        with pytest.raises(QueryError):
            parse(text)
