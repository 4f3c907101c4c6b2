"""Formulas: a question as a small tree of And / Or / Not over terms.

A *term* is one fact about an item, written `field:value`: `tag:17`, `source:1`, `type:image`,
`creator:42`, `vis:public`, `word:castle`. Besides terms there are two leaves that are not single
facts: a `Phrase` (adjacent words), a `Range` (an interval of a sort field) and a `Tagged` (how many
tags there are). Every reader of a formula (`matches`, the SQL compiler, the bitmap engine, the
cache's clock bound) is a short interpreter over these ten classes.

Trees are built only through `conj`, `disj` and `negate`, which keep them in one shape:

* no And directly in an And, no Or in an Or, no Not in a Not;
* operands are distinct and sorted by their text, so order and repetition never matter;
* `Everything` and `Nothing` appear only as the whole formula;
* X and not X fold away.

`str(formula)` is the canonical text: equal trees have equal texts and the other way round.
Formulas are small: `max-terms` (default 1,000) leaves at most. A node spells its text once, when it is made, out of
those of its parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import datetime
from typing import Literal, TypeAlias

Field: TypeAlias = Literal["tag", "source", "type", "creator", "vis", "word"]
RangeField: TypeAlias = Literal["created_at", "updated_at", "quality_score"]
Bound: TypeAlias = datetime | float


def _quote(text: str) -> str:
    """`text` as itself where it is plain, else as a JSON string."""
    return text if text.isalnum() and text.isascii() else json.dumps(text, ensure_ascii=False)


def _bound_text(bound: Bound | None) -> str:
    if bound is None:
        return ""
    return bound.isoformat() if isinstance(bound, datetime) else repr(float(bound))


@dataclass(frozen=True, slots=True)
class Everything:
    """True of every item."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Nothing:
    """True of no item."""

    def __str__(self) -> str:
        return "∅"


@dataclass(frozen=True, slots=True)
class Term:
    """One fact: `field` has `value`. Tags, sources and creators by number, the rest by text."""

    field: Field
    value: int | str

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, int) else _quote(self.value)
        return f"{self.field}:{value}"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two or more words standing next to each other in the title or in the prompt."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return "phrase:" + json.dumps(" ".join(self.words), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Range:
    """`low` ≤ field, and field ≤ `high`, or < `high` when `open_high`. A missing value is in no range."""

    field: RangeField
    low: Bound | None = None
    high: Bound | None = None
    open_high: bool = False

    def __str__(self) -> str:
        close = ")" if self.open_high else "]"
        return f"{self.field}:[{_bound_text(self.low)}..{_bound_text(self.high)}{close}"


@dataclass(frozen=True, slots=True)
class Tagged:
    """`low` ≤ number of tags, and ≤ `high` where there is one."""

    low: int
    high: int | None = None

    def __str__(self) -> str:
        return f"tags:[{self.low}..{'' if self.high is None else self.high}]"


@dataclass(frozen=True, slots=True)
class Not:
    """True where `part` is false."""

    part: Formula
    text: str = attribute(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", f"-{self.part}")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class And:
    """True where every part is. Two parts or more."""

    parts: tuple[Formula, ...]
    text: str = attribute(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", "(" + " ".join(map(str, self.parts)) + ")")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is. Two parts or more."""

    parts: tuple[Formula, ...]
    text: str = attribute(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", "(" + " | ".join(map(str, self.parts)) + ")")

    def __str__(self) -> str:
        return self.text


Leaf: TypeAlias = Term | Phrase | Range | Tagged
Formula: TypeAlias = Everything | Nothing | Term | Phrase | Range | Tagged | Not | And | Or

EVERYTHING = Everything()
NOTHING = Nothing()


def negate(formula: Formula) -> Formula:
    """Not `formula`."""
    match formula:
        case Everything():
            return NOTHING
        case Nothing():
            return EVERYTHING
        case Not(part):
            return part
        case _:
            return Not(formula)


def conj(parts: Iterable[Formula]) -> Formula:
    """All of `parts`; of none, `Everything`."""
    flat: dict[str, Formula] = {}
    for part in parts:
        match part:
            case Everything():
                continue
            case Nothing():
                return NOTHING
            case And(inner):
                flat.update((str(p), p) for p in inner)
            case _:
                flat[str(part)] = part
    if _has_opposites(flat):
        return NOTHING
    return _assemble(flat, EVERYTHING, And)


def disj(parts: Iterable[Formula]) -> Formula:
    """Any of `parts`; of none, `Nothing`."""
    flat: dict[str, Formula] = {}
    for part in parts:
        match part:
            case Nothing():
                continue
            case Everything():
                return EVERYTHING
            case Or(inner):
                flat.update((str(p), p) for p in inner)
            case _:
                flat[str(part)] = part
    if _has_opposites(flat):
        return EVERYTHING
    return _assemble(flat, NOTHING, Or)


def _has_opposites(flat: dict[str, Formula]) -> bool:
    """Whether a formula and its negation are both there, by text: a `Not` spells a minus before its part."""
    return any(isinstance(part, Not) and text[1:] in flat for text, part in flat.items())


def _assemble(flat: dict[str, Formula], empty: Formula, node: type[And] | type[Or]) -> Formula:
    """The one shape: nothing, a single part, or a node over parts sorted by text."""
    if not flat:
        return empty
    if len(flat) == 1:
        return next(iter(flat.values()))
    return node(tuple(flat[text] for text in sorted(flat)))


def owned(creator: int | str) -> str:
    """What is logged for a private version of a row of `creator`, in place of its facts; no formula has it."""
    return f"owner:{creator}"


def leaves(formula: Formula) -> Iterator[Leaf]:
    """Every term, phrase, range and count of `formula`, repeated as often as it stands there."""
    match formula:
        case Term() | Phrase() | Range() | Tagged():
            yield formula
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            return


def phrase(words: tuple[str, ...]) -> Formula:
    """Adjacent `words`: a phrase, a single word's term, or nothing asked at all."""
    if not words:
        return EVERYTHING
    return Term("word", words[0]) if len(words) == 1 else Phrase(words)


def assume(formula: Formula, facts: dict[str, bool]) -> Formula:
    """`formula` where the leaves whose text is in `facts` are known to be true or false."""
    match formula:
        case Not(part):
            return negate(assume(part, facts))
        case And(parts):
            return conj(assume(part, facts) for part in parts)
        case Or(parts):
            return disj(assume(part, facts) for part in parts)
        case Term() | Phrase() | Range() | Tagged():
            known = facts.get(str(formula))
            return formula if known is None else EVERYTHING if known else NOTHING
        case _:
            return formula


def conjuncts(formula: Formula) -> tuple[Formula, ...]:
    """The parts that must all hold: those of an And, or the formula itself."""
    match formula:
        case And(parts):
            return parts
        case Everything():
            return ()
        case _:
            return (formula,)
