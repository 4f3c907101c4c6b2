"""What the pieces of a text ask: the question is built while the text is parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any as Anything
from typing import Literal, TypeAlias, cast

from lark import Token, Transformer, v_args

from pinakes.query.language import moments
from pinakes.query.language.expected import misspelled, with_value
from pinakes.query.language.grammar import FIELDS, FLAGS
from pinakes.query.language.refusal import Misread, wrong
from pinakes.query.language.syntax import (
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
    negate,
)
from pinakes.query.language.values import near_source
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.query.text import words

_OF_THE_WHOLE = {"order", "asc", "desc"}
_COMPARED = re.compile(r"(>=|<=|>|<)?(.*)", re.DOTALL)


def _unquoted(token: Token) -> str:
    """The name in a token, without its quotes."""
    name: str = token.value
    if token.type == "QUOTED":
        name = re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL)
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME:
        allowed = f"a name of 1 to {MAX_NAME} characters"
        raise Misread(token, "A name is empty or too long.", allowed)
    return name


def _pattern(token: Token) -> Pattern:
    text = re.sub(r"\*+", "*", token.value)
    if text == "*":
        raise Misread(
            token,
            "* alone stands for every tag.",
            "letters and *, such as sun*",
            hint="For anything with a tag write tags:>0.",
            instead="tags:>0",
        )
    if len(text) > MAX_NAME:
        raise Misread(token, "A pattern is too long.", f"at most {MAX_NAME} characters")
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


def builder() -> Transformer[Token, Anything]:
    """Gives every rule of the grammar its meaning."""
    return _Builder()


@v_args(inline=True)
class _Builder(Transformer[Token, Anything]):
    """Builds the question while the text is parsed, so no tree of the grammar's own is ever made."""

    def start(self, *tops: tuple[_Part | None, list[tuple[str, str, int]]]) -> Question:
        asked = [part for part, _ in tops if part is not None]
        given: dict[str, str] = {}
        for kind, value, position in (order for _, orders in tops for order in orders):
            if given.setdefault(kind, value) != value:
                raise wrong("The order is said twice.", position, ["one order: and one of asc: and desc:"])
        condition = _made(_grouped(either, asked)) if asked else None
        return Question(
            condition, cast("OrderName | None", given.get("order")), cast("Direction | None", given.get("direction"))
        )

    def top(self, *parts: Anything) -> tuple[_Part | None, list[tuple[str, str, int]]]:
        orders = [part.value for part in parts if isinstance(part, _Order)]
        conditions = [part for part in parts if not isinstance(part, _Order)]
        return (self.all(*conditions) if conditions else None), orders

    def group(self, part: _Part) -> _Part:
        return part

    def union(self, *groups: _Part) -> _Part:
        return _grouped(either, groups)

    def all(self, *parts: _Part | _Either) -> _Part:
        """Everything; the parts marked with ~ count as one: any of them."""
        marked = [part.part for part in parts if isinstance(part, _Either)]
        plain = [part for part in parts if not isinstance(part, _Either)]
        return _grouped(every, [*plain, _grouped(either, marked)] if marked else plain)

    def part(self, part: _Part | _Either) -> _Part | _Either:
        return part

    def either(self, part: _Part) -> _Either:
        return _Either(part)

    def signed(self, *parts: Anything) -> _Part:
        *signs, part = parts
        return _Negated(part) if len(signs) % 2 else cast("_Part", part)

    def word(self, token: Token) -> Node:
        text, position = token.value, int(token.start_pos or 0)
        name, colon, value = text.partition(":")
        if colon and (meant := misspelled(name)) is not None:
            misplaced = name.lower() in _OF_THE_WHOLE
            instead = None if misplaced else with_value(meant, value)
            hint = f"{meant}: stands outside of brackets." if misplaced else f"{meant}: may be meant."
            raise Misread(
                token,
                f"At {position}: there is no {name[:40]}: here.",
                *(f"{known}:" for known in (*FIELDS, *FLAGS)),
                hint=f"{hint} A tag with a colon in its name is written tag:{text[:100]}.",
                instead=instead,
            )
        if "*" in text:
            return _pattern(token)
        if len(text) > MAX_NAME:
            raise Misread(token, "A word is too long.", f"at most {MAX_NAME} characters")
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
            near = near_source(token.value, SOURCE_BY_NAME)
            raise Misread(token, f"There is no source {token.value[:40]!r}.", *SOURCE_BY_NAME, instead=near)
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


@dataclass(frozen=True, slots=True)
class _Group:
    """Two parts or more that `join` (`every` or `either`) is to make one node of.

    They are joined when the whole text has been read: parts of parts would be sorted at every bracket otherwise.
    """

    join: Callable[[Iterable[Node]], Node]
    parts: Sequence[_Part]


@dataclass(frozen=True, slots=True)
class _Negated:
    """A part with a minus."""

    part: _Part


_Part: TypeAlias = Node | _Group | _Negated


def _grouped(join: Callable[[Iterable[Node]], Node], parts: Sequence[_Part]) -> _Part:
    return parts[0] if len(parts) == 1 else _Group(join, parts)


def _made(part: _Part) -> Node:
    """The node of `part`; groups directly in a group of their kind are one group with it."""
    if isinstance(part, _Negated):
        return negate(_made(part.part))
    if not isinstance(part, _Group):
        return part
    flat: list[Node] = []
    inside = list(reversed(part.parts))
    while inside:
        each = inside.pop()
        if isinstance(each, _Group) and each.join is part.join:
            inside.extend(reversed(each.parts))
        else:
            flat.append(_made(each))
    return part.join(flat)


class _Either:
    """A part marked with ~."""

    def __init__(self, part: _Part) -> None:
        self.part = part


class _Order:
    """A piece that says an order: (what, value, position)."""

    def __init__(self, value: tuple[str, str, int]) -> None:
        self.value = value


def _number(text: str | None, token: Token) -> float | None:
    if text is None:
        return None
    value = float(text)
    if not isfinite(value):
        raise Misread(token, f"{text[:40]} is no finite number.", "a finite number")
    return value + 0.0


def _when(field: Literal["created", "updated"], token: Token) -> Node:
    sign, low, high = _bounds(token)
    try:
        first = None if low is None else moments.period(low)[sign == ">"]
        last = None if high is None else moments.period(high)[sign != "<"]
        if first == moments.LAST or last == moments.FIRST:
            raise ValueError(token.value)  # noqa: TRY301 (refused like any other time out of bounds)
    except ValueError:
        raise Misread(token, f"{token.value[:60]} is no time.", moments.ALLOWED) from None
    if first is not None and last is not None and first >= last:
        raise _upside_down(token)
    return When(field, first, last)


def _upside_down(token: Token) -> Misread:
    low, dots, high = token.value.partition("..")
    instead = f"{high}..{low}" if dots else None
    return Misread(token, f"{token.value[:80]} ends before it begins.", "low..high", instead=instead)
