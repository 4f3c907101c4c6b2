"""What a text of the search box says: a small tree, kept in one shape, that prints as canonical text.

Leaves are what can be typed; nodes are `Not`, `All` and `Any`, built through `negate`, `every` and
`either`, which flatten, sort by text and drop repetitions. So the order of typing is forgotten, and

    parse(str(question)) == question        for every question
    str(parse(text))                        is the canonical text

At most some thousand leaves, nested at most `MAX_DEPTH` deep. A node spells its text when it is made, from those of
its parts: whoever sorts and compares by text at every level would else spell the whole tree at every level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from pinakes.query.language import moments

MAX_DEPTH = 50
MAX_NAME = 255

OrderName: TypeAlias = Literal["created", "updated", "quality", "title"]
Direction: TypeAlias = Literal["asc", "desc"]

_BARE_NAME = re.compile(r'[^\s()"*]+(\([^\s()"*]*\)[^\s()"*]*)*')
_OPERATORS = frozenset(("or",))
_BARE_WORD = re.compile(r'[^\s()"|~-][^\s()"|]*(\([^\s()"|]*\)[^\s()"|]*)*')


def quoted(text: str) -> str:
    """`text` in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def typed(name: str) -> str:
    """A tag's name as it is typed in the search box: bare with `_` for spaces, else quoted after `tag:`."""
    bare = name.replace(" ", "_")
    plain = _BARE_WORD.fullmatch(bare) and not set(bare) & set(":*") and bare.lower() not in _OPERATORS
    return bare if plain else f"tag:{quoted(name)}"


def _name(text: str) -> str:
    return text if _BARE_NAME.fullmatch(text) else quoted(text)


@dataclass(frozen=True, slots=True)
class Word:
    """A plain word: a tag where there is one of that name, else a word of title or prompt."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TagName:
    """`tag:name`: a tag and nothing else."""

    name: str

    def __str__(self) -> str:
        return f"tag:{_name(self.name)}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """`sun*`: any tag whose name is so; `*` stands for any characters, also none."""

    text: str

    def __str__(self) -> str:
        bare = _BARE_WORD.fullmatch(self.text) and ":" not in self.text
        return self.text if bare else f"tag:{self.text}"


@dataclass(frozen=True, slots=True)
class Text:
    """`"morning light"`: words next to each other in title or prompt."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return quoted(" ".join(self.words))


@dataclass(frozen=True, slots=True)
class Creator:
    """`by:name`: items of this user; of all users with these words in their names where none has exactly this."""

    name: str

    def __str__(self) -> str:
        return f"by:{_name(self.name)}"


@dataclass(frozen=True, slots=True)
class Mine:
    """`mine:`: what is yours."""

    def __str__(self) -> str:
        return "mine:"


@dataclass(frozen=True, slots=True)
class Kind:
    """`type:image`."""

    name: str

    def __str__(self) -> str:
        return f"type:{self.name}"


@dataclass(frozen=True, slots=True)
class From:
    """`source:auto`."""

    source: str

    def __str__(self) -> str:
        return f"source:{self.source}"


@dataclass(frozen=True, slots=True)
class Score:
    """`score:0.5..0.7`, both included unless `above` or `below` says the end is not."""

    low: float | None
    high: float | None
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        if self.low is None:
            return f"score:{'<' if self.below else '<='}{self.high!r}"
        if self.high is None:
            return f"score:{'>' if self.above else '>='}{self.low!r}"
        return f"score:{self.low!r}" if self.low == self.high else f"score:{self.low!r}..{self.high!r}"


@dataclass(frozen=True, slots=True)
class When:
    """`created:2023`: from `low` until before `high`."""

    field: Literal["created", "updated"]
    low: datetime | None
    high: datetime | None

    def __str__(self) -> str:
        if self.low is None:
            assert self.high is not None
            return f"{self.field}:<={moments.ending(self.high)}"
        if self.high is None:
            return f"{self.field}:>={moments.beginning(self.low)}"
        return f"{self.field}:{moments.stretch(self.low, self.high)}"


@dataclass(frozen=True, slots=True)
class Tags:
    """`tags:2..5`: how many tags; `untagged:` is none."""

    low: int
    high: int | None

    def __str__(self) -> str:
        if self.high is None:
            return f"tags:>={self.low}"
        if self.low == self.high:
            return "untagged:" if self.low == 0 else f"tags:{self.low}"
        return f"tags:{self.low}..{self.high}"


@dataclass(frozen=True, slots=True)
class Not:
    """`-part`."""

    part: Node
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = f"-({self.part})" if isinstance(self.part, All | Any) else f"-{self.part}"
        object.__setattr__(self, "text", text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class All:
    """All of two parts or more."""

    parts: tuple[Node, ...]
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = " ".join(f"({part})" if isinstance(part, Any) else str(part) for part in self.parts)
        object.__setattr__(self, "text", text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Any:
    """Any of two parts or more."""

    parts: tuple[Node, ...]
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", " or ".join(map(str, self.parts)))

    def __str__(self) -> str:
        return self.text


Name: TypeAlias = Word | TagName | Pattern | Creator
"""What only the database knows the meaning of."""

Leaf: TypeAlias = Name | Text | Mine | Kind | From | Score | When | Tags
Node: TypeAlias = Leaf | Not | All | Any


@dataclass(frozen=True, slots=True)
class Question:
    """A whole text: what is asked (None: everything), and in which order where it says so."""

    condition: Node | None = None
    order: OrderName | None = None
    direction: Direction | None = None

    def __str__(self) -> str:
        parts = [] if self.condition is None else [str(self.condition)]
        ordered = self.order is not None or self.direction is not None
        if isinstance(self.condition, Any) and ordered:
            parts = [f"({self.condition})"]
        parts += [f"order:{self.order}"] if self.order is not None else []
        parts += [f"{self.direction}:"] if self.direction is not None else []
        return " ".join(parts)


def negate(node: Node) -> Node:
    """Not `node`."""
    return node.part if isinstance(node, Not) else Not(node)


def every(parts: Iterable[Node]) -> Node:
    """All of `parts`, which are not none."""
    return _assembled(parts, All)


def either(parts: Iterable[Node]) -> Node:
    """Any of `parts`, which are not none."""
    return _assembled(parts, Any)


def _assembled(parts: Iterable[Node], node: type[All] | type[Any]) -> Node:
    flat: dict[str, Node] = {}
    for part in parts:
        inner = part.parts if isinstance(part, node) else (part,)
        flat.update((str(each), each) for each in inner)
    if len(flat) == 1:
        return next(iter(flat.values()))
    ordered = sorted(flat.items(), key=lambda each: (isinstance(each[1], Not), each[0]))
    return node(tuple(part for _, part in ordered))


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf of `node`."""
    match node:
        case Not(part):
            yield from leaves(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield node


def names(node: Node | None) -> frozenset[Name]:
    """Everything in `node` that must be looked up."""
    if node is None:
        return frozenset()
    return frozenset(leaf for leaf in leaves(node) if isinstance(leaf, Word | TagName | Pattern | Creator))
