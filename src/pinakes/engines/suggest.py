"""Suggestions: the tags somebody may be typing the name of, with counts of what they themselves can see.

A typed text is the beginning of a name or alias, from any of its words on. Where such names are too
few, those one typing error away are added: one letter more, less, other, or two exchanged.

Which names begin so, the process knows (`names`). Candidates are tried by falling weight, until no
other can come into the list or `MOST_TRIED` were tried; weights include everybody's private items,
are never shown and decide no order. Tags of which nothing is left are left out. Where many names begin
so and a filter leaves few hits, the tags of these hits are counted at once instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pinakes.engines.endings import Begun
from pinakes.engines.names import Names
from pinakes.engines.overlap import Overlap
from pinakes.query.formula import Formula, Term, leaves
from pinakes.query.item import Tag
from pinakes.query.text import words
from pinakes.store.pool import Connection
from pinakes.store.queries import load

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
MAX_TYPED = 64
SHORTEST_TYPO, LONGEST_TYPO = 4, 24

MOST_TRIED = 1000
"""Tags counted for one list of suggestions; a filter that leaves nothing of so many is told nothing."""

MANY = 100
"""So many tags at most are counted at once, whatever their weight."""

_SQL = load("suggest")


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

    async def suggest(self, connection: Connection, typed: str, formula: Formula, limit: int) -> list[Suggestion]:
        """At most `limit` tags for what was `typed`, those on most hits of `formula` first."""
        begun = " ".join(words(typed))[:MAX_TYPED]
        known = await self._names.current(connection)
        exact = await known.begun(begun)
        few = None
        if len(exact.tags) > MANY and _narrowed(formula):
            few = await self._overlap.of_few(connection, formula)
            if few is not None and not begun:
                return await _listed(connection, exact, few, limit, typo=False)
        counts = await self._counts(connection, formula, exact, limit, few)
        found = await _listed(connection, exact, counts, limit, typo=False)
        if len(found) < limit and SHORTEST_TYPO <= len(begun) <= LONGEST_TYPO:
            nearly = await known.nearly(begun)
            others = set(exact.tags.tolist())
            counts = await self._counts(connection, formula, nearly, limit - len(found), few, without=others)
            found += await _listed(connection, nearly, counts, limit - len(found), typo=True)
        return found

    async def _counts(
        self,
        connection: Connection,
        formula: Formula,
        begun: Begun,
        limit: int,
        few: Mapping[int, int] | None,
        *,
        without: Collection[int] = (),
    ) -> dict[int, int]:
        """Tag -> hits with it, for at least the `limit` tags on most hits."""
        if few is not None:
            return {tag: few[tag] for tag in set(begun.tags.tolist()).difference(without) & few.keys()}
        found: dict[int, int] = {}
        tried = 0
        size = len(begun.tags) if len(begun.tags) <= MANY else 2 * limit
        for stretch in begun.stretches(size, without):
            if tried >= MOST_TRIED or (len(found) >= limit and stretch[0][1] < _worst(found, limit)):
                break
            tried += len(stretch)
            counts = await self._overlap.of(connection, formula, [tag for tag, _ in stretch])
            found |= {tag: counts[tag] for tag, _ in stretch if counts[tag]}
        return found


def _narrowed(formula: Formula) -> bool:
    """Whether it asks for more than to be visible."""
    return any(not isinstance(leaf, Term) or leaf.field not in {"vis", "creator"} for leaf in leaves(formula))


def _worst(counts: Mapping[int, int], limit: int) -> int:
    """The count of the last tag in a list of `limit`."""
    return sorted(counts.values(), reverse=True)[:limit][-1]


async def _listed(
    connection: Connection, begun: Begun, counts: Mapping[int, int], limit: int, *, typo: bool
) -> list[Suggestion]:
    """The first `limit` suggestions, those on most hits first and equal ones by name."""
    if not counts:
        return []
    least = _worst(counts, limit)
    rows = await connection.fetch(_SQL["shown"], [tag for tag, count in counts.items() if count >= least])
    ranked = sorted(rows, key=lambda row: (-counts[row["id"]], row["name"]))[:limit]
    return [
        Suggestion(
            Tag(row["id"], row["name"], row["category"]), counts[row["id"]], begun.alias(row["id"]) or None, typo
        )
        for row in ranked
    ]
