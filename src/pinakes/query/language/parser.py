"""From text to question: runs the grammar and says what is wrong where it does not fit.

An error names the `position` (characters from 0), what was `expected` there, and a `suggestion`
where there is one. Nothing else is ever raised, whatever the text. Parsing takes some 20 µs a
piece; the last `MEMO` texts are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from math import isfinite
from typing import Any as Anything
from typing import Literal, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from pinakes.errors import QuerySyntax, TooManyTerms
from pinakes.query.language import moments
from pinakes.query.language.expected import expected, misspelled, suggestion
from pinakes.query.language.grammar import FIELDS, FLAGS, spelled_out
from pinakes.query.language.syntax import (
    MAX_DEPTH,
    MAX_NAME,
    Creator,
    Direction,
    From,
    Kind,
    Mine,
    Node,
    OrderName,
    Pattern,
    Question,
    Score,
    TagName,
    Tags,
    Text,
    When,
    Word,
    either,
    every,
    leaves,
    negate,
)
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.query.text import words

MEMO = 1024
DEFAULT_BYTES = 65_536
DEFAULT_TERMS = 1000

_BRACKETS = re.compile(r'"(?:\\.|[^"\\])*"|[()]', re.DOTALL)
_COMPARED = re.compile(r"(>=|<=|>|<)?(.*)", re.DOTALL)


@lru_cache(MEMO)
def parse(text: str, *, max_bytes: int = DEFAULT_BYTES, max_terms: int = DEFAULT_TERMS) -> Question:
    """What `text` asks.

    Raises:
        QuerySyntax: it does not fit the grammar.
        TooManyTerms: it is over a ceiling.
    """
    _check_characters(text)
    size = len(text.encode())
    if size > max_bytes:
        raise TooManyTerms(f"q is {size:,} bytes long.", parameter="q", allowed=f"at most {max_bytes:,} bytes")
    _check_depth(text)
    try:
        question = cast("Question", _parser().parse(text))
    except UnexpectedInput as error:
        raise _refusal(text, error) from None
    except VisitError as error:
        raise error.orig_exc from None
    if question.condition is not None:
        count = sum(len(leaf.words) or 1 if isinstance(leaf, Text) else 1 for leaf in leaves(question.condition))
        if count > max_terms:
            allowed = f"at most {max_terms:,} terms"
            raise TooManyTerms(f"q has {count:,} terms.", parameter="q", allowed=allowed)
        _check_depth(str(question))
    return question


def _check_characters(text: str) -> None:
    nul = text.find("\0")
    if nul >= 0:
        raise wrong("The query has a NUL character.", nul, ("text without U+0000",))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise wrong("The query is no valid Unicode.", error.start, ("valid Unicode",)) from error


def _check_depth(text: str) -> None:
    """Brackets nest so deep and no deeper: everything that reads the tree descends it."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise TooManyTerms(
                "The query's brackets are nested too deep.", parameter="q", allowed=f"at most {MAX_DEPTH} levels"
            )


def wrong(
    detail: str, position: int, expected_there: Sequence[str], hint: str | None = None, *, instead: str | None = None
) -> QuerySyntax:
    """The error at `position`. `instead`: what the query may have been meant to be."""
    return QuerySyntax(
        detail, hint=hint, parameter="q", position=position, expected=list(expected_there), suggestion=instead
    )


def _refusal(text: str, error: UnexpectedInput) -> QuerySyntax:
    """The parser's complaint in our words."""
    if isinstance(error, UnexpectedToken):
        accepted = set(error.accepts or error.expected or ())
        ended = error.token.type == "$END"
        position = len(text) if ended else int(error.token.start_pos or 0)
    elif isinstance(error, UnexpectedCharacters):
        accepted, ended = set(error.allowed or ()), False
        position = error.pos_in_stream or 0
    else:
        accepted, position, ended = set(), len(text), isinstance(error, UnexpectedEOF)
    there = expected(accepted)
    found = "the query ends" if ended else f"{text[position : position + 20]!r} is not understood"
    hint, instead = suggestion(text, position, accepted)
    return wrong(f"At {position}: {found}; expected {', '.join(there)}.", position, there, hint, instead=instead)


@cache
def _parser() -> Lark:
    return Lark(spelled_out(), parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=False)


def _unquoted(token: Token) -> str:
    """The name in a token, without its quotes."""
    name: str = token.value
    if token.type == "QUOTED":
        name = re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL)
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME:
        allowed = f"a name of 1 to {MAX_NAME} characters"
        raise wrong("A name is empty or too long.", int(token.start_pos or 0), [allowed])
    return name


def _pattern(token: Token) -> Pattern:
    text = re.sub(r"\*+", "*", token.value)
    if text == "*":
        raise wrong(
            "* alone stands for every tag.",
            int(token.start_pos or 0),
            ["letters and *, such as sun*"],
            "For anything with a tag write tags:>0.",
            instead="tags:>0",
        )
    if len(text) > MAX_NAME:
        raise wrong("A pattern is too long.", int(token.start_pos or 0), [f"at most {MAX_NAME} characters"])
    return Pattern(text)


def _bounds(token: Token) -> tuple[str, str | None, str | None]:
    """A terminal like `>=a`, `a..b` or `a` as (comparison or "..", low, high)."""
    text = token.value
    if ".." in text:
        low, _, high = text.partition("..")
        return "..", low or None, high or None
    found = _COMPARED.fullmatch(text)
    assert found is not None
    sign, value = found.groups()
    match sign:
        case ">" | ">=":
            return sign, value, None
        case "<" | "<=":
            return sign, None, value
        case _:
            return "..", value, value


@v_args(inline=True)
class _Builder(Transformer[Token, Anything]):
    """Builds the question while the text is parsed, so no tree of the grammar's own is ever made."""

    def start(self, *tops: tuple[Node | None, list[tuple[str, str, int]]]) -> Question:
        asked = [node for node, _ in tops if node is not None]
        given: dict[str, str] = {}
        for kind, value, position in (order for _, orders in tops for order in orders):
            if given.setdefault(kind, value) != value:
                raise wrong("The order is said twice.", position, ["one order: and one of asc: and desc:"])
        condition = either(asked) if asked else None
        return Question(
            condition, cast("OrderName | None", given.get("order")), cast("Direction | None", given.get("direction"))
        )

    def top(self, *parts: Anything) -> tuple[Node | None, list[tuple[str, str, int]]]:
        orders = [part.value for part in parts if isinstance(part, _Order)]
        conditions = [part for part in parts if not isinstance(part, _Order)]
        return (self.all(*conditions) if conditions else None), orders

    def group(self, node: Node) -> Node:
        return node

    def union(self, *groups: Node) -> Node:
        return either(groups)

    def all(self, *parts: Node | _Either) -> Node:
        """Everything; the parts marked with ~ count as one: any of them."""
        marked = [part.node for part in parts if isinstance(part, _Either)]
        plain = [part for part in parts if not isinstance(part, _Either)]
        return every([*plain, either(marked)] if marked else plain)

    def part(self, node: Node | _Either) -> Node | _Either:
        return node

    def either(self, node: Node) -> _Either:
        return _Either(node)

    def signed(self, *parts: Anything) -> Node:
        *signs, node = parts
        return negate(node) if len(signs) % 2 else cast("Node", node)

    def word(self, token: Token) -> Node:
        text, position = token.value, int(token.start_pos or 0)
        name, colon, value = text.partition(":")
        if colon and (meant := misspelled(name)) is not None:
            instead = f"{meant}:" if meant in FLAGS else f"{meant}:{value or '…'}"
            raise wrong(
                f"At {position}: there is no {name[:40]}: here.",
                position,
                [f"{known}:" for known in (*FIELDS, *FLAGS)],
                f"Did you mean {instead}? A tag with a colon in its name is written tag:{text[:100]}.",
                instead=instead,
            )
        if "*" in text:
            return _pattern(token)
        if len(text) > MAX_NAME:
            raise wrong("A word is too long.", position, [f"at most {MAX_NAME} characters"])
        return Word(text)

    def text(self, token: Token) -> Node:
        return Text(words(re.sub(r"\\(.)", r"\1", token.value[1:-1], flags=re.DOTALL)))

    def tag(self, token: Token) -> Node:
        if token.type == "NAME" and "*" in token.value:
            return _pattern(token)
        return TagName(_unquoted(token))

    def by(self, token: Token) -> Node:
        return Creator(_unquoted(token))

    def type(self, token: Token) -> Node:
        return Kind(token.value)

    def source(self, token: Token) -> Node:
        if token.value not in SOURCE_BY_NAME:
            raise wrong(f"There is no source {token.value[:40]!r}.", int(token.start_pos or 0), list(SOURCE_BY_NAME))
        return From(token.value)

    def score(self, token: Token) -> Node:
        sign, low, high = _bounds(token)
        first, last = _number(low, token), _number(high, token)
        if first is not None and last is not None and first > last:
            raise _upside_down(token)
        return Score(first, last, above=sign == ">", below=sign == "<")

    def created(self, token: Token) -> Node:
        return _when("created", token)

    def updated(self, token: Token) -> Node:
        return _when("updated", token)

    def tags(self, token: Token) -> Node:
        sign, low, high = _bounds(token)
        first = int(low or 0) + (sign == ">")
        last = None if high is None else int(high) - (sign == "<")
        if last is not None and first > last:
            raise _upside_down(token)
        return Tags(first, last)

    def mine(self, _: Token) -> Node:
        return Mine()

    def untagged(self, _: Token) -> Node:
        return Tags(0, 0)

    def order(self, token: Token) -> _Order:
        position = int(token.start_pos or 0)
        if token.type == "SORT":
            name = re.sub("_.*", "", token.value.lower())
            return _Order(("order", "quality" if name == "score" else name, position))
        return _Order(("direction", token.value.lower().removesuffix(":"), position))


class _Either:
    """A part marked with ~."""

    def __init__(self, node: Node) -> None:
        self.node = node


class _Order:
    """A piece that says an order: (what, value, position)."""

    def __init__(self, value: tuple[str, str, int]) -> None:
        self.value = value


def _number(text: str | None, token: Token) -> float | None:
    if text is None:
        return None
    value = float(text)
    if not isfinite(value):
        raise wrong(f"{text[:40]} is no finite number.", int(token.start_pos or 0), ["a finite number"])
    return value + 0.0


def _when(field: Literal["created", "updated"], token: Token) -> Node:
    sign, low, high = _bounds(token)
    try:
        first = None if low is None else moments.period(low)[sign == ">"]
        last = None if high is None else moments.period(high)[sign != "<"]
        if first == moments.LAST or last == moments.FIRST:
            raise ValueError(token.value)  # noqa: TRY301 (refused like any other time out of bounds)
    except ValueError:
        raise wrong(f"{token.value[:60]} is no time.", int(token.start_pos or 0), [moments.ALLOWED]) from None
    if first is not None and last is not None and first >= last:
        raise _upside_down(token)
    return When(field, first, last)


def _upside_down(token: Token) -> QuerySyntax:
    low, dots, high = token.value.partition("..")
    instead = f"{high}..{low}" if dots else None
    return wrong(
        f"{token.value[:80]} ends before it begins.", int(token.start_pos or 0), ["low..high"], instead=instead
    )
