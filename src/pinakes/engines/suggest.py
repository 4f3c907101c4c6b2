"""Suggestions: the tags somebody may be typing the name of, with counts of what they themselves can see.

A typed text is the beginning of a name or alias, from any of its words on, in any spelling (`query/names.py`);
one that begins with no word, such as `:)`, is first looked for as it is. Where such names are too few, those one
typing error away are added: one letter more, less, other, or two exchanged.

Which names begin so, the process knows (`names`). Candidates are tried by falling weight, until no
other can come into the list or `MOST_TRIED` were tried; weights include everybody's private items,
are never shown and decide no order. Tags of which nothing is left are left out. Where many names begin
so within a filter, a sample of its hits is looked at first: the tags of few hits are counted so and none is
tried, and of many hits those tags are tried first that the sample has.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import cast

from pinakes.engines.endings import Begun
from pinakes.engines.names import Known, Names
from pinakes.engines.overlap import Overlap, Sample
from pinakes.query.formula import Formula, Term, leaves
from pinakes.query.item import Tag
from pinakes.query.names import key
from pinakes.query.text import words
from pinakes.store.pool import Connection
from pinakes.store.tags import by_number

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
MAX_TYPED = 64
SHORTEST_TYPO, LONGEST_TYPO = 4, 24

MOST_TRIED = 1000
"""Tags counted for one list of suggestions; a filter that leaves nothing of so many is told nothing."""

MOST_AFTER_SAMPLE = 250
"""Tags counted by falling weight after those that a sample of the hits has, where the list is full by then."""

MANY = 100
"""So many tags at most are counted at once, whatever their weight."""

LIKELY = 4
"""Tags tried because a sample has them: so many times as are listed."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A tag on `count` items the caller can see. `alias`: the other name that was begun; `typo`: nearly begun."""

    tag: Tag
    count: int
    alias: str | None
    typo: bool

    @property
    def label(self) -> str:
        """As a list shows it."""
        return self.tag.name if self.alias is None else f"{self.alias} → {self.tag.name}"


class Suggester:
    """Suggests tags in one process."""

    def __init__(self, names: Names, overlap: Overlap) -> None:
        self._names = names
        self._overlap = overlap

    async def suggest(
        self, connection: Connection, typed: str, formula: Formula, limit: int, known: Known | None = None
    ) -> list[Suggestion]:
        """At most `limit` tags for what was `typed`, those on most hits of `formula` first.

        `known`: the names of the snapshot of `connection`, where the caller has asked for them already.
        """
        if known is None:
            known = await self._names.current(connection)
        for text in beginnings(typed):
            begun = await known.begun(text)
            if len(begun.tags):
                break
        sample = await self._overlap.sample(connection, formula) if samples_hits(begun, formula) else None
        counts = await self._counts(connection, formula, begun, limit, sample)
        found = await _listed(connection, Choice(begun, counts, limit, typo=False))
        if len(found) < limit and may_be_mistyped(text):
            nearly, room = await known.nearly(text), limit - len(found)
            counts = await self._counts(connection, formula, nearly, room, sample, without=set(begun.tags.tolist()))
            found += await _listed(connection, Choice(nearly, counts, room, typo=True))
        return found

    async def _counts(
        self,
        connection: Connection,
        formula: Formula,
        begun: Begun,
        limit: int,
        sample: Sample | None,
        *,
        without: Collection[int] = (),
    ) -> Mapping[int, int]:
        if sample is not None and sample.whole:
            return among(begun, sample.tags, without)
        trial = tried(begun, limit, without, sample)
        try:
            tags = next(trial)
            while True:
                tags = trial.send(await self._overlap.of(connection, formula, tags))
        except StopIteration as done:
            return cast("dict[int, int]", done.value)


@dataclass(frozen=True, slots=True)
class Choice:
    """Counted tags, of which the `limit` on most hits are to be shown; `begun` knows by which of their names."""

    begun: Begun
    counts: Mapping[int, int]
    limit: int
    typo: bool

    def leading(self) -> list[int]:
        """The tags that may be shown: among equal ones their names decide."""
        if not self.counts:
            return []
        least = _worst(self.counts, self.limit)
        return [tag for tag, count in self.counts.items() if count >= least]

    def shown(self, tags: Iterable[Tag]) -> list[Suggestion]:
        """What is shown of `tags`, those on most hits first and equal ones by name."""
        ranked = sorted(tags, key=lambda tag: (-self.counts[tag.id], tag.name))[: self.limit]
        return [Suggestion(tag, self.counts[tag.id], self.begun.alias(tag.id) or None, self.typo) for tag in ranked]


def beginnings(typed: str) -> tuple[str, ...]:
    """What a name may begin with where `typed` was typed: the first of these that any name begins with."""
    whole = key(typed).strip()
    plain = " ".join(words(whole))[:MAX_TYPED]
    if not whole or words(whole[0]):
        return (plain,)
    return (whole[:MAX_TYPED], plain) if plain else (whole[:MAX_TYPED],)


def may_be_mistyped(text: str) -> bool:
    """Whether names one typing error away from `text` are looked for."""
    return SHORTEST_TYPO <= len(text) <= LONGEST_TYPO


def samples_hits(begun: Begun, formula: Formula) -> bool:
    """Whether some hits are looked at before tags are tried: many begin so, and there is a filter."""
    return len(begun.tags) > MANY and any(
        not isinstance(leaf, Term) or leaf.field not in {"vis", "creator"} for leaf in leaves(formula)
    )


def among(begun: Begun, counts: Mapping[int, int], without: Collection[int] = ()) -> Mapping[int, int]:
    """Those of `counts`, tag -> hits, that were begun."""
    if begun.everything:
        return counts
    return {tag: counts[tag] for tag in begun.both(counts) if tag not in without}


def tried(
    begun: Begun, limit: int, without: Collection[int] = (), sample: Sample | None = None
) -> Generator[list[int], Mapping[int, int], dict[int, int]]:
    """Asks with lists of tags for their hits; returns tag -> hits for at least the `limit` tags on most."""
    found: dict[int, int] = {}
    if sample is not None and (likely := among(begun, sample.tags, without)):
        first = nlargest(LIKELY * limit, likely, key=lambda tag: (likely[tag], -tag))
        counts = yield first
        found |= {tag: counts[tag] for tag in first if counts[tag]}
    enough = MOST_TRIED if sample is None else MOST_AFTER_SAMPLE
    looked = 0
    size = len(begun.tags) if len(begun.tags) <= MANY else 2 * limit
    for stretch in begun.stretches(size, without):
        if looked >= MOST_TRIED:
            break
        if len(found) >= limit and (looked >= enough or stretch[0][1] < _worst(found, limit)):
            break
        looked += len(stretch)
        counts = yield [tag for tag, _ in stretch]
        found |= {tag: counts[tag] for tag, _ in stretch if counts[tag]}
    return found


def _worst(counts: Mapping[int, int], limit: int) -> int:
    """The count of the last tag in a list of `limit`."""
    return sorted(counts.values(), reverse=True)[:limit][-1]


async def _listed(connection: Connection, choice: Choice) -> list[Suggestion]:
    if not choice.counts:
        return []
    return choice.shown((await by_number(connection, choice.leading())).values())
