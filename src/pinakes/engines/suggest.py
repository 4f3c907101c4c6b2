"""Suggestions: the tags somebody may be typing the name of, with counts of what they themselves can see.

A typed text is the beginning of a name or alias, from any of its words on. Where such names are too
few, those one typing error away are added: one letter more, less, other, or two exchanged.

Maintained counts include everybody's private items. They are upper bounds of what is counted here,
so candidates are tried by falling bound until no other can come into the list; they are never shown
and decide no order. Tags of which nothing is left are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase, digits

from asyncpg import Record

from pinakes.engines.overlap import Overlap
from pinakes.query.formula import Formula
from pinakes.query.item import Tag
from pinakes.query.text import words
from pinakes.store.pool import Connection
from pinakes.store.queries import load

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
MAX_TYPED = 64
SHORTEST_TYPO, LONGEST_TYPO = 4, 24
SHORT = 2
"""With so few letters very many names begin; the most used ones are tried first, and mostly suffice."""

MOST_USED = 1000
_LETTERS = ascii_lowercase + digits + " "
# Beyond every character that stands in a word.
_LAST = "\U0010ffff"


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


async def suggest(
    connection: Connection, overlap: Overlap, typed: str, formula: Formula, limit: int
) -> list[Suggestion]:
    """At most `limit` tags for what was `typed`, those on most hits of `formula` first."""
    begun = " ".join(words(typed))[:MAX_TYPED]
    sql = load("suggest")
    if len(begun) <= SHORT:
        rows = await connection.fetch(sql["begun_among_most"], begun, begun + _LAST, MOST_USED)
        found = await _counted(connection, overlap, formula, rows, limit, typo=False)
        if len(found) == limit and found[-1].count > rows[0]["rest"]:
            return found
    rows = await connection.fetch(sql["begun"], begun, begun + _LAST)
    found = await _counted(connection, overlap, formula, rows, limit, typo=False)
    if len(found) < limit and SHORTEST_TYPO <= len(begun) <= LONGEST_TYPO:
        known = [row["id"] for row in rows]
        near = sorted(one_error_away(begun))
        more = await connection.fetch(sql["nearly_begun"], near, [each + _LAST for each in near], known)
        found += await _counted(connection, overlap, formula, more, limit - len(found), typo=True)
    return found


async def _counted(
    connection: Connection, overlap: Overlap, formula: Formula, rows: list[Record], limit: int, *, typo: bool
) -> list[Suggestion]:
    """The first `limit` of `rows`, which come by falling bound."""
    best: list[tuple[int, Record]] = []
    stretch = 2 * limit
    for start in range(0, len(rows), stretch):
        if len(best) == limit and rows[start]["bound"] < best[-1][0]:
            break
        candidates = rows[start : start + stretch]
        counts = await overlap.of(connection, formula, [row["id"] for row in candidates])
        best += [(counts[row["id"]], row) for row in candidates if counts[row["id"]]]
        best = sorted(best, key=lambda each: (-each[0], each[1]["name"]))[:limit]
    return [
        Suggestion(Tag(row["id"], row["name"], row["category"]), count, row["alias"] or None, typo)
        for count, row in best
    ]


def one_error_away(text: str) -> set[str]:
    """The texts one letter more, less or other than `text`, or with two of its letters exchanged."""
    cuts = [(text[:at], text[at:]) for at in range(len(text) + 1)]
    less = {head + tail[1:] for head, tail in cuts if tail}
    exchanged = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    other = {head + letter + tail[1:] for head, tail in cuts if tail for letter in _LETTERS}
    more = {head + letter + tail for head, tail in cuts for letter in _LETTERS}
    return {each for each in less | exchanged | other | more if each.strip() == each} - {text}
