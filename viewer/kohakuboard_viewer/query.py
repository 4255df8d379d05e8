"""The language that runs are filtered with: what it says, how it is read, and how it is written again.

    lr < 1e-3 and status = finished and tag:baseline and name ~ resnet
    not (val/loss:min > 0.5 or "learning rate" = missing) big

    query      either { "or" either }
    either     negated { ["and"] negated }
    negated    "not" negated | "(" query ")" | condition
    condition  name operator value        name is bare or quoted; see fields.py for what can be named
               name "=" "missing"         and "!=": whether the run has no such value
               "tag:" tag                 the run has exactly this tag
               word                       the word occurs in name, id, project, status, group, notes or a tag
    operator   = != < <= > >= ~ !~        ~ finds a regular expression, in any case of letters

Words and names may be quoted by " or ', with a backslash before a quote in them; what is quoted is a text and never a
number. `!=` and `!~` are the opposites of `=` and `~`: they are true of a run that has no such value, for which each
other comparison is false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "And",
    "Compare",
    "Missing",
    "Not",
    "Or",
    "Query",
    "QueryError",
    "Span",
    "Tag",
    "Value",
    "Word",
    "parse",
    "text_of",
]

LONGEST: Final = 2000
DEEPEST: Final = 40
MOST_CONDITIONS: Final = 100

OPERATORS: Final = ("!=", "!~", "<=", ">=", "==", "=", "<", ">", "~")
_KEYWORDS: Final = frozenset({"and", "or", "not"})
_MISSING: Final = "missing"
_TAG: Final = "tag:"
_BARE: Final = re.compile(r"""[^\s()"'=<>!~]+""")


class Span(NamedTuple):
    """Say where in a query something stands."""

    begin: int
    end: int


_NOWHERE: Final = Span(0, 0)


class QueryError(ValueError):
    """Say what of a query cannot be understood, and where it is."""

    def __init__(self, message: str, span: Span) -> None:
        self.message = message
        self.span = span
        super().__init__(f"{message} (at character {span.begin + 1})")


@dataclass(frozen=True, slots=True)
class Value:
    """Hold what is compared with; what was quoted is never a number."""

    text: str
    quoted: bool = False
    at: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """Compare a value of the run."""

    name: str
    operator: str
    value: Value
    at: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Missing:
    """Tell whether the run has no value of a name."""

    name: str
    at: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Tag:
    """Tell whether the run has a tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class Word:
    """Tell whether a word occurs in what the run is called."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """Be true where another query is not."""

    part: Query


@dataclass(frozen=True, slots=True)
class And:
    """Be true where all of two or more queries are."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Be true where one of two or more queries is."""

    parts: tuple[Query, ...]


Query: TypeAlias = Compare | Missing | Tag | Word | Not | And | Or


class _Token(NamedTuple):
    kind: str  # bare, quoted, an operator, "(" or ")", "end"
    text: str
    at: Span


def parse(text: str) -> Query | None:
    """Return what a text says, None when that is nothing. Raises QueryError."""
    if len(text) > LONGEST:
        raise QueryError(
            f"a filter has {LONGEST} characters at most, this one has {len(text)}", Span(LONGEST, len(text))
        )
    parser = _Parser(list(_tokens(text)))
    return parser.query() if text.strip() else None


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token = _token(text, place)
        yield token
        place = token.at.end
    yield _Token("end", "", Span(len(text), len(text)))


def _token(text: str, place: int) -> _Token:
    mark = text[place]
    if mark in "()":
        return _Token(mark, mark, Span(place, place + 1))
    if mark in "\"'":
        return _quoted(text, place)
    for operator in OPERATORS:
        if text.startswith(operator, place):
            return _Token(
                "operator", "=" if operator == "==" else operator, Span(place, place + len(operator))
            )
    found = _BARE.match(text, place)
    if found is None:  # a "!" on its own
        raise QueryError(f"{mark!r} means nothing here; write != or !~, or not", Span(place, place + 1))
    return _Token("bare", found[0], Span(*found.span()))


def _quoted(text: str, begin: int) -> _Token:
    """Return the text between two quotes, of which a backslash protects the next character."""
    quote, found, place = text[begin], "", begin + 1
    while place < len(text):
        if text[place] == quote:
            return _Token("quoted", found, Span(begin, place + 1))
        if text[place] == "\\" and place + 1 < len(text):
            place += 1
        found += text[place]
        place += 1
    raise QueryError(f"this {quote} has no other one to close it", Span(begin, len(text)))


class _Parser:
    """Read tokens from left to right, looking one ahead."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._conditions = 0

    def query(self) -> Query:
        """Read all of it."""
        found = self._or()
        if self._next.kind != "end":
            raise QueryError("this ) closes nothing", self._next.at)
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        if token.kind != "end":
            self._place += 1
        return token

    def _at_keyword(self, word: str) -> bool:
        return self._next.kind == "bare" and self._next.text.lower() == word and not self._names_a_value()

    def _names_a_value(self) -> bool:
        """Tell whether an operator follows, so that the word before it is a name."""
        return self._tokens[min(self._place + 1, len(self._tokens) - 1)].kind == "operator"

    def _or(self) -> Query:
        parts = [self._and()]
        while self._at_keyword("or"):
            self._take()
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Query:
        parts = [self._not()]
        while not (self._next.kind in ("end", ")") or self._at_keyword("or")):
            if self._at_keyword("and"):
                self._take()
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Query:
        self._depth += 1
        if self._depth > DEEPEST:
            raise QueryError(f"this is nested more than {DEEPEST} deep", self._next.at)
        try:
            if self._at_keyword("not"):
                self._take()
                return Not(self._not())
            return self._parenthesised() if self._next.kind == "(" else self._condition()
        finally:
            self._depth -= 1

    def _parenthesised(self) -> Query:
        opened = self._take()
        found = self._or()
        if self._take().kind != ")":
            raise QueryError("this ( is never closed", opened.at)
        return found

    def _condition(self) -> Query:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise QueryError(f"a filter has {MOST_CONDITIONS} conditions at most", self._next.at)
        token = self._take()
        if token.kind not in ("bare", "quoted"):
            raise QueryError(_expected(token), token.at)
        if self._next.kind == "operator":
            return self._comparison(token)
        if token.kind == "bare" and token.text.lower() in _KEYWORDS:
            raise QueryError(
                f"{token.text!r} joins conditions, and there is none before it; to search for the word write "
                f'"{token.text}"',
                token.at,
            )
        if token.kind == "bare" and token.text.lower().startswith(_TAG):
            return self._tag(token)
        return Word(token.text)

    def _tag(self, token: _Token) -> Tag:
        tag = token.text[len(_TAG) :]
        if not tag and self._next.kind == "quoted" and self._next.at.begin == token.at.end:
            return Tag(self._take().text)
        if not tag:
            raise QueryError('a tag is missing after "tag:"', token.at)
        return Tag(tag)

    def _comparison(self, name: _Token) -> Query:
        operator, value = self._take(), self._take()
        if value.kind not in ("bare", "quoted"):
            raise QueryError(
                f"a value is missing after {operator.text}", Span(operator.at.begin, max(value.at))
            )
        if value.kind == "bare" and value.text.lower() == _MISSING:
            missing = Missing(name.text, name.at)
            if operator.text not in ("=", "!="):
                raise QueryError(
                    'missing is compared by = and != only; for the word write "missing"', value.at
                )
            return missing if operator.text == "=" else Not(missing)
        literal = Value(value.text, value.kind == "quoted", value.at)
        return Compare(name.text, operator.text, literal, name.at)


def _expected(token: _Token) -> str:
    if token.kind == "operator":
        return f"a name is missing before {token.text}"
    return (
        "something is missing at the end" if token.kind == "end" else "a condition is missing before this )"
    )


def text_of(query: Query) -> str:
    """Return a query as a text that `parse` reads as the same."""
    if isinstance(query, And | Or):
        word = " and " if isinstance(query, And) else " or "
        return word.join(_grouped(part) for part in query.parts)
    if isinstance(query, Not):
        return f"not {_grouped(query.part)}"
    if isinstance(query, Compare):
        value = _quote(query.value.text) if query.value.quoted else query.value.text
        return f"{_bare_or_quoted(query.name)} {query.operator} {value}"
    if isinstance(query, Missing):
        return f"{_bare_or_quoted(query.name)} = {_MISSING}"
    if isinstance(query, Tag):
        return f"{_TAG}{query.tag if _BARE.fullmatch(query.tag) else _quote(query.tag)}"
    return _quote(query.text) if query.text.lower().startswith(_TAG) else _bare_or_quoted(query.text)


def _grouped(part: Query) -> str:
    return f"({text_of(part)})" if isinstance(part, And | Or) else text_of(part)


def _bare_or_quoted(text: str) -> str:
    plain = _BARE.fullmatch(text) and text.lower() not in _KEYWORDS
    return text if plain else _quote(text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
