"""The tags a query names: which exist for the viewer, and how many items carry each.

Cardinalities are exact sums of maintained counts (`tag_counts` plus `tag_count_deltas`) over all
items, private ones included; they choose plans and are never shown. Whether a tag *exists* for a
viewer means that an item they can see carries it: otherwise the warning about an unknown tag
would tell strangers which tags private items have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pinakes.query.formula import NOTHING, Formula, Term
from pinakes.query.gallery_query import TagRef
from pinakes.query.sources import SOURCES
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load

INT4_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a query's tags mean: number or name -> tag id, for those the viewer may know."""

    ids: Mapping[TagRef, int] = field(default_factory=dict)

    def __call__(self, ref: TagRef) -> Formula:
        """The formula `ref` stands for."""
        tag_id = self.ids.get(ref)
        return NOTHING if tag_id is None else Term("tag", tag_id)

    def unknown(self, refs: frozenset[TagRef]) -> list[TagRef]:
        """Those of `refs` that match nothing, numbers first, in order."""
        return sorted((ref for ref in refs if ref not in self.ids), key=lambda ref: (isinstance(ref, str), str(ref)))


@dataclass(frozen=True, slots=True)
class Cardinalities:
    """Items per (source code, tag id), and about how many items each source holds."""

    tags: Mapping[tuple[int, int], int] = field(default_factory=dict)
    rows: Mapping[int, int] = field(default_factory=dict)

    def of(self, source: int, tag: int) -> int:
        """How many items of `source` carry `tag`."""
        return self.tags.get((source, tag), 0)

    def size(self, source: int) -> int:
        """About how many items `source` holds; at least what its most used tag here says."""
        known = max((n for (code, _), n in self.tags.items() if code == source), default=0)
        return max(self.rows.get(source, 0), known, 1)


async def resolve(connection: Connection, refs: frozenset[TagRef], viewer: int | None) -> Vocabulary:
    """The vocabulary for `refs`, as far as `viewer` may know it."""
    if not refs:
        return Vocabulary()
    sql = load("vocabulary")
    names = [ref for ref in refs if isinstance(ref, str)]
    numbers = [ref for ref in refs if isinstance(ref, int) and 0 <= ref <= INT4_MAX]
    found = await connection.fetch(sql["resolve_tags"], names, numbers)
    unseen = {row["id"] for row in found}
    visible: set[int] = set()
    for source in SOURCES:
        if not unseen:
            break
        seen = await connection.fetch(for_source(sql["tag_is_visible"], source), sorted(unseen), viewer)
        visible.update(row["tag_id"] for row in seen)
        unseen -= visible
    ids: dict[TagRef, int] = {}
    for row in found:
        if row["id"] in visible:
            ids.update({ref: row["id"] for ref in (row["name"], row["id"]) if ref in refs})
    return Vocabulary(ids)


async def cardinalities(connection: Connection, tags: set[int]) -> Cardinalities:
    """Maintained counts of `tags` and the sizes of all sources."""
    sql = load("vocabulary")
    rows = {row["code"]: row["items"] for row in await connection.fetch(sql["table_rows"])}
    if not tags:
        return Cardinalities({}, rows)
    counted = await connection.fetch(sql["tag_counts"], sorted(tags))
    return Cardinalities({(row["source_type"], row["tag_id"]): row["items"] for row in counted}, rows)
