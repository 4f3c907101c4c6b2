"""Tags: resolved and created by name, and listed for a viewer.

A tag on nothing but somebody's private items does not show: its name may say what is in them.
There are some ten thousand tags to a few million, so lists are cut by name, never by offset.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from pinakes.errors import NotFound
from pinakes.query.item import Tag
from pinakes.query.sources import SOURCES
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load


async def ensure(conn: Connection, names: Iterable[str]) -> dict[str, int]:
    """Name -> number for every name, creating what is missing; an alias has its tag's number.

    Names are compared by their keys, so two spellings have one number; a new tag is called by the first. The tags
    stay until the transaction ends. Existing names are looked up first: an insert that finds its name taken
    still uses up a number. Missing ones are created in the order of keys, so two writers of the same names
    cannot deadlock.
    """
    wanted = dict.fromkeys(names)
    found = await _held(conn, wanted)
    missing = [name for name in wanted if name not in found]
    if not missing:
        return found
    await conn.execute(load("tags")["create"], missing)
    return found | await _held(conn, missing)


async def _held(conn: Connection, names: Collection[str]) -> dict[str, int]:
    if not names:
        return {}
    queries = load("tags")
    found = {row["asked"]: row["id"] for row in await conn.fetch(queries["hold"], sorted(names))}
    missing = sorted(set(names) - found.keys())
    # After the tags: a name that was merged away while we waited for it is an alias now.
    aliased = await conn.fetch(queries["hold_aliased"], missing) if missing else []
    return found | {row["asked"]: row["id"] for row in aliased}


async def visible(
    conn: Connection, viewer: int | None, *, prefix: str = "", after: str = "", limit: int
) -> tuple[list[Tag], bool]:
    """At most `limit` tags by name, beginning with `prefix` and following `after`; and whether there are more."""
    rows = await conn.fetch(_with_carried("list"), viewer, prefix, after, limit + 1)
    tags = [Tag(row["id"], row["name"], row["category"]) for row in rows]
    return tags[:limit], len(tags) > limit


async def by_number(conn: Connection, numbers: Collection[int]) -> dict[int, Tag]:
    """Those of these tags there are, whoever may see them."""
    rows = await conn.fetch(load("tags")["by_number"], list(numbers))
    return {row["id"]: Tag(row["id"], row["name"], row["category"]) for row in rows}


async def read(conn: Connection, tag_id: int, viewer: int | None) -> Tag:
    """One tag.

    Raises:
        NotFound: there is none, or no item that `viewer` may see carries it.
    """
    row = await conn.fetchrow(_with_carried("read"), viewer, tag_id)
    if row is None:
        raise NotFound(f"There is no tag {tag_id} on an item that you may see.", hint="GET /api/v1/tags lists tags.")
    return Tag(row["id"], row["name"], row["category"])


async def hidden(conn: Connection, numbers: Collection[int], viewer: int | None) -> set[int]:
    """Those of these tags that `viewer` must not learn of: on items, but on none that they may see."""
    if viewer is None or not numbers:
        return set()
    rows = await conn.fetch(_with_carried("hidden"), viewer, list(numbers))
    return {row["id"] for row in rows}


@cache
def _with_carried(name: str) -> str:
    """The query with its conditions spelled out for every source."""
    queries = load("tags")
    text = queries[name]
    for condition in ("carried_at_all", "carried"):
        spelled = ", ".join(for_source(queries[condition], source) for source in SOURCES)
        text = text.replace(f"{{{condition}}}", spelled)
    return text
