"""What administrators do to tags: rename, put into a category, merge, delete.

A tag may be on a million items. Its taggings are moved or removed `BATCH` at a time, each batch in
its own short transaction: readers see the state before or after it and never wait, writers wait for
one batch at most, some 0.2 s. A million taggings took half a minute. Only the last, empty batch and the
end of the tag itself happen under a lock on the tag. What was killed half-way is finished by asking
again.

`hidden_from` is as in `aliases`. That a name is taken is told whoever takes it: names are unique, so whoever
may give names can find out which are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asyncpg import Record
from asyncpg import exceptions as pg

from pinakes.errors import Conflict, InvalidContent, NotFound
from pinakes.query.item import Tag
from pinakes.query.sources import SOURCES, Source
from pinakes.store import aliases, hierarchy, tags
from pinakes.store.pool import Connection, Pool, writing
from pinakes.store.queries import for_source, load
from pinakes.store.tag_name import checked, checked_category

BATCH = 5000
BATCH_TIMEOUT_MS = 60_000
MOST_FAILURES = 20
"""Times in a row a batch may lose against writers that take no turns."""
_ALL, _FIRST = 2**62, -(2**63)

Told = Callable[[int], None]
"""Called with the number of taggings done so far."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: taggings moved, and steps of the hierarchy that would have made a circle."""

    into: Tag
    taggings: int
    steps_left_out: int


async def rename(
    conn: Connection, tag_id: int, name: str, *, keep_alias: bool = False, hidden_from: int | None = None
) -> Tag:
    """Gives a tag another name, in the transaction of `conn`; with `keep_alias` the old one becomes an alias.

    Raises:
        NotFound: there is no such tag.
        Conflict: the name is another tag's, or an alias of one.
        InvalidContent: it cannot be a name.
    """
    name = checked(name)
    row = await _lock(conn, tag_id, hidden_from)
    if name == row["name"]:
        return _tag(row)
    led = await conn.fetchrow(load("tags")["aliased"], [name])
    if led is not None and led["id"] != tag_id:
        of = "another tag" if await tags.hidden(conn, [led["id"]], hidden_from) else repr(led["name"])
        raise Conflict(f"{name!r} is an alias of {of}.", field="name", hint="Remove the alias first.")
    await aliases.remove(conn, [name])
    try:
        async with conn.transaction():
            await conn.execute(load("names")["rename"], tag_id, name)
    except pg.UniqueViolationError as error:
        raise Conflict(f"There is a tag {name!r} already.", field="name", hint="Merge the two instead.") from error
    if keep_alias:
        await aliases.put(conn, {row["name"]: name})
    return Tag(tag_id, name, row["category"])


async def categorize(conn: Connection, tag_id: int, category: str, *, hidden_from: int | None = None) -> Tag:
    """Puts a tag into a category; empty is none.

    Raises:
        NotFound: there is no such tag.
        InvalidContent: it cannot be a category.
    """
    category = checked_category(category)
    row = await _lock(conn, tag_id, hidden_from)
    await conn.execute(load("names")["categorize"], [row["name"]], [category])
    return Tag(tag_id, row["name"], category)


async def merge(
    pool: Pool,
    tag_id: int,
    into_id: int,
    *,
    batch: int = BATCH,
    told: Told | None = None,
    hidden_from: int | None = None,
) -> Merged:
    """Gives every item with the first tag the second instead. The first's name becomes an alias, its aliases and
    places in the hierarchy go over to the second. Taggings of items hidden from somebody are not counted for them.

    Raises:
        NotFound: one of them does not exist.
        InvalidContent: they are the same.
    """
    if tag_id == into_id:
        raise InvalidContent("A tag cannot be merged into itself.", field="into", allowed="another tag")
    async with writing(pool, BATCH_TIMEOUT_MS) as conn:
        for number in sorted((tag_id, into_id)):
            await _lock(conn, number, hidden_from)
    moved = await _in_batches(pool, "move_taggings", (tag_id, into_id), batch, told, seen_by=(hidden_from,))
    async with writing(pool, BATCH_TIMEOUT_MS) as conn:
        rows = {number: await _lock(conn, number) for number in sorted((tag_id, into_id))}
        for source in SOURCES:
            # Whoever was giving the tag to an item had to be waited for; nobody new can come.
            moved += (await _batch(conn, "move_taggings", source, tag_id, into_id, _ALL, _FIRST, hidden_from))["done"]
        await conn.execute(load("names")["move_aliases"], tag_id, into_id)
        left_out = await _move_steps(conn, tag_id, into_id)
        await conn.execute(load("names")["delete_tag"], tag_id)
        await conn.execute(load("names")["put_aliases"], [rows[tag_id]["name"]], [into_id])
    return Merged(_tag(rows[into_id]), moved, left_out)


async def delete(
    pool: Pool,
    tag_id: int,
    *,
    taggings: bool = False,
    batch: int = BATCH,
    told: Told | None = None,
    hidden_from: int | None = None,
) -> int:
    """Removes a tag, its aliases and its places in the hierarchy; with `taggings` also from its items. How many.

    Raises:
        NotFound: there is no such tag.
        Conflict: items carry it, and `taggings` is not said.
    """
    if hidden_from is not None:
        async with writing(pool, BATCH_TIMEOUT_MS) as conn:
            await _lock(conn, tag_id, hidden_from)
    removed = await _in_batches(pool, "remove_taggings", (tag_id,), batch, told) if taggings else 0
    async with writing(pool, BATCH_TIMEOUT_MS) as conn:
        row = await _lock(conn, tag_id)
        for source in SOURCES:
            if taggings:
                removed += (await _batch(conn, "remove_taggings", source, tag_id, _ALL, _FIRST))["done"]
            elif await conn.fetchval(for_source(load("names")["is_carried"], source), tag_id):
                raise Conflict(
                    f"Items carry the tag {row['name']!r}.",
                    field="taggings",
                    hint="Merge it into another, or say that its taggings go too.",
                )
        await conn.execute(load("names")["delete_tag"], tag_id)
    return removed


class _TakenMeanwhile(Exception):
    """A batch lost against another writer; it can be tried again."""


async def _in_batches(  # noqa: PLR0917 (what, of which tags, and how)
    pool: Pool,
    query: str,
    tag_ids: tuple[int, ...],
    batch: int,
    told: Told | None,
    seen_by: tuple[int | None, ...] = (),
) -> int:
    """Runs a statement over all items of all sources, a batch a transaction; how many taggings."""
    total = 0
    for source in SOURCES:
        last: int | None = _FIRST
        failed = 0
        while last is not None:
            try:
                async with writing(pool, BATCH_TIMEOUT_MS) as conn:
                    row = await _batch(conn, query, source, *tag_ids, batch, last, *seen_by)
            except _TakenMeanwhile as error:
                # Somebody who does not hold the item gave it the other tag; by now that can be seen.
                failed += 1
                if failed == MOST_FAILURES:
                    raise Conflict("Others keep changing the same taggings.", hint="Try again.") from error
                continue
            total, last, failed = total + row["done"], row["last"], 0
            if told is not None and row["done"]:
                told(total)
    return total


async def _batch(conn: Connection, query: str, source: Source, *values: int | None) -> Record:
    try:
        row = await conn.fetchrow(for_source(load("names")[query], source), *values)
    except (pg.UniqueViolationError, pg.DeadlockDetectedError) as error:
        raise _TakenMeanwhile from error
    assert row is not None, "a count is always one row"
    return row


async def _move_steps(conn: Connection, tag_id: int, into_id: int) -> int:
    """The steps of the hierarchy of one tag become the other's; how many would have made a circle."""
    left_out = 0
    rows = await conn.fetch(load("names")["around_tag"], tag_id)
    for row in rows:
        await conn.execute(load("names")["remove_parent"], row["child_id"], row["parent_id"])
    for row in rows:
        child, parent = (into_id if number == tag_id else number for number in (row["child_id"], row["parent_id"]))
        if child == parent:
            continue
        try:
            await hierarchy.put_numbers(conn, [(child, parent)])
        except Conflict:
            left_out += 1
    return left_out


async def _lock(conn: Connection, tag_id: int, hidden_from: int | None = None) -> Record:
    row = await conn.fetchrow(load("names")["lock_number"], tag_id)
    if row is None or await tags.hidden(conn, [tag_id], hidden_from):
        raise NotFound(f"There is no tag {tag_id}.", hint="GET /api/v1/tags lists tags.")
    return row


def _tag(row: Record) -> Tag:
    return Tag(row["id"], row["name"], row["category"])
