"""Related tags: what goes with a search, by the cosine of exact counts.

For a search with A hits and a tag on B visible items, on C of the hits: C / sqrt(A·B). Since C is no
greater than B, no tag can reach more than sqrt(C / A): tags are tried by falling C, and the search
ends, proven complete, when that bound is below the last one in the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

from pinakes.engines.overlap import SQL, Overlap
from pinakes.query.formula import Formula, Term, leaves
from pinakes.store.pool import Connection

_STRETCH = 100


@dataclass(frozen=True, slots=True)
class Related:
    """A tag on `together` of the hits and on `items` visible items."""

    tag: int
    together: int
    items: int
    cosine: float


@dataclass(frozen=True, slots=True)
class RelatedTags:
    """The nearest tags. `exact`: proven that no other is nearer; `bounded`: rare ones were not looked at."""

    tags: tuple[Related, ...]
    kind: Literal["exact", "bounded"]


async def shown(connection: Connection, found: RelatedTags) -> dict[str, Any]:
    """`found` as an answer shows it."""
    rows = await connection.fetch(SQL["named"], [each.tag for each in found.tags])
    named = {row["id"]: {"id": row["id"], "name": row["name"], "category": row["category"]} for row in rows}
    return {
        "related": [
            {**named[each.tag], "together": each.together, "count": each.items, "cosine": each.cosine}
            for each in found.tags
            if each.tag in named
        ],
        "kind": found.kind,
    }


def asked_for(formula: Formula) -> set[int]:
    """The tags in `formula`, which are no news as tags related to it."""
    return {leaf.value for leaf in leaves(formula) if isinstance(leaf, Term) and isinstance(leaf.value, int)
            and leaf.field == "tag"}  # fmt: skip


async def related(
    connection: Connection,
    overlap: Overlap,
    formula: Formula,
    visible: Formula,
    limit: int,
    *,
    besides: Iterable[int] = (),
) -> RelatedTags:
    """The `limit` tags nearest to `formula`; `visible` is all its viewer may see, `besides` the tags asked for."""
    among = await overlap.among(connection, formula)
    left_out = set(besides)
    listed = [(count, tag) for tag, count in among.tags.items() if tag not in left_out]
    ranked = sorted(listed, key=lambda each: (-each[0], each[1]))
    best: list[Related] = []

    def beaten(together: int) -> bool:
        """Whether a tag on so many hits cannot come into the list any more."""
        return len(best) == limit and sqrt(together / among.total) < best[-1].cosine

    for start in range(0, len(ranked), _STRETCH):
        stretch = ranked[start : start + _STRETCH]
        if beaten(stretch[0][0]):
            break
        items = await overlap.of(connection, visible, [tag for _, tag in stretch])
        best += [Related(tag, n, items[tag], n / sqrt(among.total * items[tag])) for n, tag in stretch if items[tag]]
        best = sorted(best, key=lambda each: (-each.cosine, each.tag))[:limit]
    return RelatedTags(tuple(best), "exact" if among.rest == 0 or beaten(among.rest) else "bounded")
