"""Random questions: as trees, as texts of the grammar, and as texts that are nearly so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any as Anything

from pinakes.query.language import moments
from pinakes.query.language.syntax import (
    Creator,
    From,
    Kind,
    Mine,
    Node,
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
from pinakes.query.sources import SOURCES
from pinakes.query.text import words

NAMES = (
    "sunset",
    "castle",
    "50%_off",
    "Ünïcode tag",
    "stormy sea",
    "stormy_sea",
    "mona_lisa_(painting)",
    "man, old",
    "place:paris",
    'a "quote" \\ here',
    "or",
    "-dash",
    "(",
    "a*b",
    ":3",
    "tag:x",
    "~tilde",
    "a|b",
)
BARE = ("sunset", "castle", "no_such", "stormy_sea", "place:paris", "mona_lisa_(painting)", "don't", "été", "&", "Or_")
PATTERNS = ("sun*", "*set", "s*t", "ca*", "no*where", "place:p*", "-a*", "a|*")
NUMBERS = (0.0, 0.5, 0.7, -3.25, 1e300, 1e-7, 5.0, 0.1 + 0.2)


def moment(rng: Random) -> datetime:
    """A time that begins some period, or none."""
    day = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(1000))
    return rng.choice(
        (
            day.replace(month=1, day=1),
            day.replace(day=1),
            day,
            day + timedelta(minutes=rng.randrange(3000)),
            day + timedelta(seconds=rng.randrange(90_000)),
            day + timedelta(microseconds=rng.randrange(10**9)),
            moments.FIRST + timedelta(days=rng.randrange(1, 400)),
            moments.LAST - timedelta(days=rng.randrange(1, 400)),
        )
    )


def _score(rng: Random) -> Score:
    low, high = sorted(rng.choices(NUMBERS, k=2))
    kinds = (
        Score(low, high),
        Score(low, None),
        Score(low, None, above=True),
        Score(None, high),
        Score(None, high, below=True),
    )
    return rng.choice(kinds)


def _when(rng: Random) -> When:
    field: Anything = rng.choice(("created", "updated"))
    low, high = sorted((moment(rng), moment(rng)))
    if low == high:
        return When(field, low, None)
    return rng.choice((When(field, low, high), When(field, low, None), When(field, None, high)))


def _tags(rng: Random) -> Tags:
    low, high = sorted((rng.randrange(12), rng.randrange(12)))
    return rng.choice((Tags(low, high), Tags(low, None), Tags(0, high), Tags(0, 0)))


def leaf(rng: Random) -> Node:
    """One leaf."""
    return rng.choice(
        (
            lambda: Word(rng.choice(BARE)),
            lambda: Word(rng.choice(BARE)),
            lambda: TagName(rng.choice(NAMES)),
            lambda: Pattern(rng.choice(PATTERNS)),
            lambda: Text(words(" ".join(rng.choices(("Morning", "light", "%", "SEA"), k=rng.randrange(4))))),
            lambda: Creator(rng.choice(NAMES)),
            Mine,
            lambda: Kind(rng.choice(("image", "video", "image/gif"))),
            lambda: From(rng.choice(SOURCES).name),
            lambda: _score(rng),
            lambda: _when(rng),
            lambda: _tags(rng),
        )
    )()


def node(rng: Random, depth: int = 4) -> Node:
    """A tree."""
    if depth == 0 or rng.random() < 0.35:
        return leaf(rng)
    parts = [node(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
    return rng.choice((every, either, lambda each: negate(each[0])))(parts)


def question(rng: Random) -> Question:
    """A whole question."""
    order: Anything = rng.choice((None, None, "created", "updated", "quality", "title"))
    direction: Anything = rng.choice((None, None, "asc", "desc"))
    return Question(node(rng) if rng.random() < 0.95 else None, order, direction)


_PIECES = (
    *BARE,
    *PATTERNS,
    "(",
    ")",
    "-",
    "~",
    "-(",
    "~(",
    " or ",
    "|",
    '"',
    '"morning light"',
    "mine:",
    "untagged:",
    "order:",
    "order:title",
    "asc:",
    "desc:",
    'tag:"',
    "by:",
    "type:",
    "type:image",
    "source:",
    "source:auto",
    "score:",
    "score:>0.5",
    "score:0.5..",
    "tag:",
    "..",
    "created:",
    "created:2023-13",
    "created:>2024",
    "tags:",
    "created:9999..0001",
    "tags:>10",
    "tags:99999999999",
    "*",
    "\\",
    "\0",
    "\ud800",
    "\u2028",
    "𐐨",
    "é",
    "scroe:1",
    "date:2024",
    "x" * 300,
    "1e999",
    "-1",
    "Z",
    "T",
    ":",
    "::",
    "updated:<0001-01-02",
    "created:2024-05-17T08:30+99:00",
    "OR",
    "created:２０２３",
)
_LETTERS = 'abtysocre:~-()|"\\*.<>=0123456789 \t\n\u3000\u200béЖ東\0TZ+,_'


def noise(rng: Random) -> str:
    """A text that may or may not be a question."""
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(("", " ")).join(rng.choices(_PIECES, k=rng.randrange(1, 9)))
    if kind < 0.75:
        return "".join(rng.choices(_LETTERS, k=rng.randrange(24)))
    text = list(str(question(rng))[:200])
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        text[at : at + rng.randrange(3)] = rng.choice(_LETTERS)
    return "".join(text)
