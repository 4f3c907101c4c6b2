"""The meaning of what was typed: a formula, once a vocabulary says what its names stand for.

A plain word is the tag of that name; where there is none, it is searched in title and prompt. Names of tags
and users are compared by their keys (`query/names.py`), so how they are spelled does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter
from typing import TypeAlias

from pinakes.query import formula as f
from pinakes.query.formula import Formula, Range, Tagged, Term
from pinakes.query.language.syntax import (
    All,
    Any,
    Creator,
    From,
    Kind,
    Mine,
    Name,
    Node,
    Not,
    Pattern,
    Score,
    TagName,
    Tags,
    Text,
    When,
    Word,
)
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.query.text import words

Names: TypeAlias = Callable[[Name], Formula]
"""A name as typed -> the formula it stands for, `NOTHING` where there is no such thing."""


def to_formula(node: Node, names: Names, you: int | None) -> Formula:  # noqa: C901 (one case a kind of node)
    """The formula of `node`; `you`: whom `mine:` is about."""
    match node:
        case Not(part):
            return f.negate(to_formula(part, names, you))
        case All(parts):
            return f.conj(to_formula(part, names, you) for part in parts)
        case Any(parts):
            return f.disj(to_formula(part, names, you) for part in parts)
        case Word(text):
            found = names(node)
            return found if found != f.NOTHING else text_formula(words(text))
        case TagName() | Pattern() | Creator():
            return names(node)
        case Text(texts):
            return text_formula(texts)
        case Mine():
            return f.NOTHING if you is None else Term("creator", you)
        case Kind(name):
            return Term("type", name)
        case From(source):
            return Term("source", SOURCE_BY_NAME[source].code)
        case Score():
            return _score(node)
        case When(field, low, high):
            return Range("created_at" if field == "created" else "updated_at", low, high, open_high=high is not None)
        case Tags(low_count, high_count):
            everything = low_count == 0 and high_count is None
            return f.EVERYTHING if everything else Tagged(low_count, high_count)


def text_formula(texts: tuple[str, ...]) -> Formula:
    """Adjacent words; a text without any word is found nowhere."""
    return f.phrase(texts) if texts else f.NOTHING


def _score(asked: Score) -> Formula:
    """The interval; an open lower end begins at the next number there is."""
    low = nextafter(asked.low, inf) if asked.above and asked.low is not None else asked.low
    return f.NOTHING if low == inf else Range("quality_score", low, asked.high, open_high=asked.below)
