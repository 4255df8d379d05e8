from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer import present
from kohakuboard_viewer.column import Column
from kohakuboard_viewer.matching import matching
from kohakuboard_viewer.query import And, Compare, Missing, Not, Or, Query, QueryError, Value, Word, parse
from kohakuboard_viewer.rows import Row
from kohakuboard_viewer.table import Table

NAMES = ["a", "b", "deep.c"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([0.5, 1.0, -2.5, math.nan, math.inf, 1e-3]),
    st.sampled_from(["adam", "Adam", "sgd", "1", "", "true"]),
    st.sampled_from([(), [1, 2]]),
)
CONFIGS = st.lists(st.dictionaries(st.sampled_from(NAMES), SCALARS), min_size=1, max_size=6)
LITERALS = st.one_of(
    st.sampled_from(["1", "0.5", "-2.5", "1e-3", "inf", "nan", "adam", "true", "x"]).map(Value),
    st.sampled_from(["1", "adam", "", "[1, 2]"]).map(lambda text: Value(text, quoted=True)),
)
PATTERNS = st.sampled_from(["a", "^s", "d.m", "1$", "[0-9]", ""]).map(lambda text: Value(text, quoted=True))
CONDITIONS: st.SearchStrategy[Query] = st.one_of(
    st.builds(Compare, st.sampled_from(NAMES), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), LITERALS),
    st.builds(Compare, st.sampled_from(NAMES), st.sampled_from(["~", "!~"]), PATTERNS),
    st.builds(Missing, st.sampled_from(NAMES)),
    st.builds(Word, st.sampled_from(["run", "1", "finished"])),
)


def _joined(part: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    parts = st.lists(part, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, part), st.builds(And, parts), st.builds(Or, parts))


QUERIES = st.recursive(CONDITIONS, _joined, max_leaves=6)


def row(number: int, config: dict[str, Any], **more: Any) -> Row:
    nothing: dict[str, Any] = {"group": None, "notes": None, "tags": (), "summary": {}, "metrics": {}}
    nothing |= {"system": {}, "environment": {}, "error": None, "problems": (), "ended": None}
    facts = {"folder": "p", "id": f"run-{number}", "name": f"run {number}", "given_name": "", "project": "p"}
    rest = {"status": "finished", "started": 1e9, "duration_s": 1.0, "last_step": None, "chosen_colour": None}
    rest |= {"pinned": False, "archived": False, "version": "", "words": f"run {number}\nfinished"}
    return Row(**{**nothing, **facts, **rest, "config": config, **more})


def naive(query: Query, config: dict[str, Any], words: str) -> bool:
    """Say what a query means, one run at a time."""
    if isinstance(query, And):
        return all(naive(part, config, words) for part in query.parts)
    if isinstance(query, Or):
        return any(naive(part, config, words) for part in query.parts)
    if isinstance(query, Not):
        return not naive(query.part, config, words)
    if isinstance(query, Word):
        return query.text.lower() in words
    assert isinstance(query, Missing | Compare)
    value = config.get(query.name)
    if isinstance(query, Missing):
        return value is None
    if query.operator.startswith("!"):
        return not naive(Compare(query.name, query.operator[1:], query.value), config, words)
    return compared(value, query.operator, query.value)


def compared(value: Any, operator: str, literal: Value) -> bool:
    if value is None:
        return False
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, tuple):
        return any(compared(each, operator, literal) for each in value)
    text = str(value).lower() if isinstance(value, bool) else present.plain(value)
    if operator == "~":
        if is_number and math.isfinite(value) and value == int(value):
            text = str(int(value))
        return re.search(literal.text, text, re.IGNORECASE) is not None
    try:
        number = None if literal.quoted else float(literal.text)
    except ValueError:
        number = None
    if operator == "=":
        return bool(number is not None and value == number) if is_number else text == literal.text
    if is_number != (number is not None):
        return False
    pair = (float(value), number) if is_number else (text, literal.text)
    signs = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
    return bool(getattr(pair[0], signs[operator])(pair[1]))


@given(CONFIGS, QUERIES)
@settings(max_examples=300, deadline=None)
def test_what_is_found_is_what_a_loop_over_the_runs_finds(
    configs: list[dict[str, Any]], query: Query
) -> None:
    every = dict.fromkeys(NAMES, 0)
    table = Table([row(number, config) for number, config in enumerate([*configs, every])])
    found = matching(query, table).tolist()
    assert found == [naive(query, each.config, each.words) for each in table.rows]  # type: ignore[arg-type]


@given(st.lists(SCALARS, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_a_column_that_is_carried_over_is_as_one_made_anew(values: list[Any], data: st.DataObject) -> None:
    old = Column.of(values)
    source = data.draw(st.lists(st.integers(-1, len(values) - 1), max_size=8))
    fresh = [place for place, before in enumerate(source) if before < 0]
    new = data.draw(st.lists(SCALARS, min_size=len(fresh), max_size=len(fresh)))
    now = [values[before] if before >= 0 else new[fresh.index(place)] for place, before in enumerate(source)]
    moved = old.moved(np.array(source, np.int64), np.array(fresh, np.int64), new)
    made = Column.of(now)
    assert moved.is_number.tolist() == made.is_number.tolist()
    assert np.array_equal(moved.numbers, made.numbers, equal_nan=True)
    shown = [[column.texts[code] if code >= 0 else None for code in column.codes] for column in (moved, made)]
    assert shown[0] == shown[1]
    assert moved.varies == made.varies


def found(text: str, *rows: Row) -> list[str]:
    table = Table(rows)
    return [each.name for each, hit in zip(rows, matching(parse(text), table), strict=True) if hit]


def test_names_are_understood_without_their_kind_and_by_their_last_part() -> None:
    one = row(1, {"optimizer.lr": 0.1, "name": "x"})
    for text in (
        "config.optimizer.lr = 0.1",
        "optimizer.lr = 0.1",
        "lr = 0.1",
        "config.name = x",
        "name = 'run 1'",
    ):
        assert found(text, one) == ["run 1"], text


@pytest.mark.parametrize(
    ("text", "message", "pointed_at"),
    [
        ("a = 1 and learning_rat < 1", "did you mean learning_rate", "learning_rat"),
        ("lr = 1", "did you mean opt.lr or sched.lr", "lr"),
        ('a ~ "(x"', "no regular expression (missing ): (x)", '"(x"'),
        ("started > yesterday", "no date", "yesterday"),
    ],
)
def test_what_no_run_has_is_told_with_its_place(text: str, message: str, pointed_at: str) -> None:
    with pytest.raises(QueryError) as caught:
        found(text, row(1, {"a": "x", "learning_rate": 1, "opt.lr": 1, "sched.lr": 1}))
    assert message in caught.value.message
    assert text[slice(*caught.value.span)] == pointed_at


def test_tags_are_found_whole_or_by_an_expression_and_times_with_their_units() -> None:
    one, two = row(1, {}, tags=("baseline", "a b"), duration_s=7200.0), row(2, {}, tags=("base",))
    assert found("tag:baseline", one, two) == ["run 1"]
    assert found('tag:"a b"', one, two) == ["run 1"]
    assert found("tags ~ ^base", one, two) == ["run 1", "run 2"]
    assert found("duration >= 2h", one, two) == ["run 1"]
    assert found("started < 2001-09-10 and started > 2001-09-08", one, two) == ["run 1", "run 2"]


def test_an_expression_that_would_take_python_for_ever_takes_no_time() -> None:
    assert found('name ~ "(a+)+$"', row(1, {}, name="a" * 30 + "!")) == []
