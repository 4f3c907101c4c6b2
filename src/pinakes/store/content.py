"""Content: whole items read by their keys, and written one at a time.

Every function takes a connection. `hydrate` is one statement for any mix of sources. `create`,
`update` and `delete` are one transaction each (a savepoint where the caller has one open) and keep
these rules:

* Somebody else's private item does not exist; somebody else's public item is not yours to change.
  An administrator of content may change both, but reads no more than anybody else: of an item they may
  not read they are told nothing but its key, and they cannot make it readable, neither for everybody
  nor for a creator of their choice.
* An alias of a tag is its tag, whoever names it, and so is every spelling of its name.
* Tags come before rows: unknown tags are created in sorted order, then the row is locked or made.
  All writers that keep this order never wait for each other in a circle.
* `updated_at` only grows, even where clocks do not, so it names a version of the item.

`pinakes.store.limits` says how large an item may be; `hydrate` reads large values only as far as it is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import orjson
from asyncpg import exceptions as pg

from pinakes.errors import Conflict, Forbidden, InvalidContent, NotFound, StaleVersion, StoreError
from pinakes.query.fieldset import COMPLETE, Rules
from pinakes.query.item import Item, Tag, Unread
from pinakes.query.sources import SOURCE_BY_CODE, SOURCES, Source
from pinakes.store import aliases, tags
from pinakes.store.draft import Author, Change, Draft
from pinakes.store.large import with_large
from pinakes.store.limits import MAX_TAGS
from pinakes.store.pool import Connection, translate_errors
from pinakes.store.queries import for_source, load

__all__ = ["Author", "Change", "Draft", "as_read_by", "create", "delete", "etag", "find", "hydrate", "read", "update"]

_MAX_ID = 2**63 - 1


async def hydrate(conn: Connection, keys: Sequence[tuple[int, int]], rules: Rules = COMPLETE) -> list[Item]:
    """The items behind `keys` (source code, id), in that order; a key without an item is left out.

    `rules` say which large values are read.
    """
    if not keys:
        return []
    wanted = tuple(sorted({source for source, _ in keys} & SOURCE_BY_CODE.keys()))
    rows = await conn.fetch(
        _hydrate_sql(wanted, rules), [source for source, _ in keys], [item_id for _, item_id in keys]
    )
    return [_item(row) for row in sorted(rows, key=itemgetter("place"))]


@cache
def _hydrate_sql(sources: tuple[int, ...], rules: Rules) -> str:
    """One branch for each source asked for."""
    branch = with_large(load("content")["hydrate"], "item", rules, "cardinality($2::bigint[])")
    branches = (for_source(branch, SOURCE_BY_CODE[code]) for code in sources or [SOURCES[0].code])
    return "\nUNION ALL\n".join(branches)


def _item(row: Any) -> Item:
    tagged = zip(row["tag_ids"] or (), row["tag_names"] or (), row["tag_categories"] or (), strict=True)
    return Item(
        source=row["source"],
        id=row["id"],
        external_id=row["external_id"],
        title=row["title"],
        content_type=row["content_type"],
        content_data=row["content_data"],
        path_thumb=row["path_thumb"],
        path_thumbs_alt_res=row["path_thumbs_alt_res"],
        prompt=row["prompt"],
        creator_id=row["creator_id"],
        creator_username=row["creator_username"],
        item_metadata=row["item_metadata"],
        is_private=row["is_private"],
        quality_score=row["quality_score"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        tags=tuple(Tag(tag_id, name, category) for tag_id, name, category in tagged),
        omitted=tuple(row["omitted"] or ()),
    )


def etag(item: Item) -> str:
    """A strong validator: equal only where everything shown of the item is equal."""
    return f'"{blake2b(orjson.dumps(item), digest_size=12).hexdigest()}"'


async def read(conn: Connection, source: Source, item_id: int, viewer: int | None, rules: Rules = COMPLETE) -> Item:
    """One item; `rules` say which large values are read.

    Raises:
        NotFound: there is none, or `viewer` may not see it.
    """
    item = await find(conn, source, item_id, rules)
    if not _may_read(item, viewer):
        raise _not_found(source, item_id)
    return item


def as_read_by(item: Item, viewer: int) -> Item | Unread:
    """`item`, or nothing but its key where `viewer` may not read it."""
    return item if _may_read(item, viewer) else Unread(item.source, item.id)


def _may_read(item: Item, viewer: int | None) -> bool:
    return not item.is_private or item.creator_id == viewer


async def create(conn: Connection, source: Source, draft: Draft, author: Author) -> Item:
    """A new item of `author`, or of `draft.creator_id` where an administrator says so.

    Raises:
        Forbidden: the creator is somebody else, or the author is no user of this installation.
        Conflict: the external id is taken.
        InvalidContent: the creator does not exist.
    """
    creator = draft.creator_id if draft.creator_id is not None else author.user_id
    _require_own(creator, author)
    values = {**draft.columns(), "creator_id": creator}
    async with _writing(conn, source, creator, author):
        tag_ids = await tags.ensure(conn, draft.tags)
        item_id = await conn.fetchval(_sql("create", source), values)
        await conn.execute(_sql("add_taggings", source), item_id, sorted(set(tag_ids.values())))
        return await find(conn, source, item_id)


async def update(  # noqa: PLR0917 (what, by whom, and of which version)
    conn: Connection, source: Source, item_id: int, change: Change, author: Author, if_match: str | None
) -> tuple[Item, Item]:
    """The item before and after `change`; of the same version where nothing is asked.

    Writing is not reading: see `as_read_by`.

    Raises:
        NotFound: there is no such item, or it is somebody else's private one.
        Forbidden: it is somebody else's, or is to become somebody else's; or it is private, somebody else's,
            and is to become readable for others.
        StaleVersion: `if_match` or `change.updated_at` name another version.
        Conflict: the external id is taken.
        InvalidContent: the creator does not exist, or the item would carry too many tags.
    """
    values = change.columns()
    creator = values.get("creator_id")
    async with _writing(conn, source, creator, author):
        _require_writable(await find(conn, source, item_id), author)
        if creator is not None:
            _require_own(creator, author)
        tag_ids = await tags.ensure(conn, change.named_tags()) | await aliases.tag_ids(conn, change.tags_remove)
        before = await _lock(conn, source, item_id, author)
        _require_hidden(before, values, author)
        _require_version(before, author, if_match, change)
        carried = {tag.id for tag in before.tags}
        wanted = change.tags_after(carried, tag_ids)
        if len(wanted) > MAX_TAGS:
            many = f"{len(wanted):,}" if _may_read(before, author.user_id) else "too many"
            raise InvalidContent(f"The item would carry {many} tags.", field="tags", allowed=_TAGS_ALLOWED)
        added = sorted(wanted - carried)
        removed = sorted(carried - wanted)
        if not (values or added or removed):
            return before, before
        await conn.execute(_sql("update", source), item_id, values)
        if removed:
            await conn.execute(_sql("remove_taggings", source), item_id, removed)
        if added:
            await conn.execute(_sql("add_taggings", source), item_id, added)
        return before, await find(conn, source, item_id)


async def delete(conn: Connection, source: Source, item_id: int, author: Author, if_match: str | None) -> Item:
    """Removes the item and its taggings; tags stay. Returns what it was.

    Raises:
        NotFound: there is no such item, or it is somebody else's private one.
        Forbidden: it is somebody else's.
        StaleVersion: `if_match` names another version.
    """
    async with _writing(conn, source, None, author):
        _require_writable(await find(conn, source, item_id), author)
        before = await _lock(conn, source, item_id, author)
        _require_version(before, author, if_match)
        await conn.execute(_sql("remove_all_taggings", source), item_id)
        await conn.execute(_sql("delete", source), item_id)
        return before


_TAGS_ALLOWED = f"at most {MAX_TAGS:,} tags on an item"


def _sql(name: str, source: Source) -> str:
    return for_source(load("content")[name], source)


async def find(conn: Connection, source: Source, item_id: int, rules: Rules = COMPLETE) -> Item:
    """One item, whoever may read it: see `as_read_by`.

    Raises:
        NotFound: there is none.
    """
    found = await hydrate(conn, [(source.code, item_id)], rules) if abs(item_id) <= _MAX_ID else []
    if not found:
        raise _not_found(source, item_id)
    return found[0]


def _not_found(source: Source, item_id: int) -> NotFound:
    return NotFound(f"There is no {source.name} item {item_id} that you may see.")


async def _lock(conn: Connection, source: Source, item_id: int, author: Author) -> Item:
    """The item as it is now and stays until the transaction ends, checked again: it may have changed hands."""
    await conn.execute(_sql("lock", source), item_id)
    item = await find(conn, source, item_id)
    _require_writable(item, author)
    return item


def _require_writable(item: Item, author: Author) -> None:
    if author.admin or item.creator_id == author.user_id:
        return
    source = SOURCE_BY_CODE[item.source]
    if item.is_private:
        raise _not_found(source, item.id)
    raise Forbidden(f"The {source.name} item {item.id} belongs to somebody else.")


def _require_own(creator: int, author: Author) -> None:
    if creator != author.user_id and not author.admin:
        raise Forbidden("Only an administrator of content may name another creator.", field="creator_id")


def _require_hidden(item: Item, values: Mapping[str, Any], author: Author) -> None:
    """Raises Forbidden where somebody who may not read `item` would have it read by whom they choose."""
    if _may_read(item, author.user_id):
        return
    if values.get("is_private") is False or "creator_id" in values:
        raise Forbidden("Only its creator may let others read a private item.", hint="Ask its creator.")


def _require_version(item: Item, author: Author, if_match: str | None, change: Change | None = None) -> None:
    """Raises StaleVersion unless `item` is the version the caller has read."""
    stale = if_match is not None and if_match.strip() != "*" and etag(item) not in _validators(if_match)
    if change is not None and change.updated_at is not None:
        stale = stale or change.updated_at != item.updated_at
    if stale and not _may_read(item, author.user_id):
        raise StaleVersion("The item is of another version.", hint="You may not read it; write without naming one.")
    if stale:
        raise StaleVersion(
            f"The item was changed at {item.updated_at.isoformat()}.", etag=etag(item), updated_at=item.updated_at
        )


def _validators(if_match: str) -> Collection[str]:
    """The entity tags of an `If-Match` header; weak ones never match and stay as they are."""
    return [validator.strip() for validator in if_match.split(",")]


@asynccontextmanager
async def _writing(conn: Connection, source: Source, creator: int | None, author: Author) -> AsyncIterator[None]:
    """A transaction in which what the database refuses because of the input becomes an error that says so."""
    try:
        with translate_errors():
            async with conn.transaction():
                yield
    except pg.UniqueViolationError as error:
        raise Conflict(f"Another {source.name} item has this external id.", field="external_id") from error
    except pg.ForeignKeyViolationError as error:
        if "creator" not in (error.constraint_name or ""):
            raise StoreError("A tag was deleted meanwhile; try again.") from error
        if creator is None or creator == author.user_id:
            raise Forbidden(f"Your token names user {author.user_id}, who does not exist here.") from error
        raise InvalidContent(
            f"There is no user {creator}.", field="creator_id", allowed="the number of an existing user"
        ) from error
    except (pg.DataError, pg.IntegrityConstraintViolationError, pg.ProgramLimitExceededError) as error:
        raise InvalidContent("The database refuses these values.") from error
