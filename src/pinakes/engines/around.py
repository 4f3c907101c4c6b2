"""Around: where an item stands inside a search, and what comes before and after it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pinakes.engines.overlap import SQL, Hits, hits, read_model_hits
from pinakes.engines.selection import Hydrate
from pinakes.errors import NotFound
from pinakes.query.cursor import Cursor
from pinakes.query.fieldset import SHORT
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item
from pinakes.query.order import sort_value
from pinakes.query.sources import SOURCE_BY_CODE, Source
from pinakes.store import content
from pinakes.store.compiler import Compiler
from pinakes.store.keyset import Walk
from pinakes.store.pool import Connection
from pinakes.view.reading import hydrate


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`rank` counts from 1."""

    previous: Item | None
    item: Item
    next: Item | None
    rank: int
    total: int

    def said(self) -> dict[str, Any]:
        """As an answer shows it; items are put into words by whoever writes it."""
        return {
            "previous": self.previous,
            "item": self.item,
            "next": self.next,
            "rank": self.rank,
            "total_count": self.total,
        }


async def around(
    connection: Connection, query: GalleryQuery, formula: Formula, source: Source, item_id: int
) -> Neighbours:
    """The neighbours of an item in the order of `query`, `formula` being its meaning; from the tables.

    Raises:
        NotFound: there is no such item, the viewer may not see it, or the search does not find it.
    """
    item = await content.read(connection, source, item_id, query.viewer, SHORT)
    return await among_rows(connection, query, formula, item, hits=hits, read=content.hydrate)


async def in_read_model(
    connection: Connection, query: GalleryQuery, formula: Formula, source: Source, item_id: int
) -> Neighbours:
    """The same from the read model."""
    item = await stored_item(connection, source, item_id, query.viewer)
    return await among_rows(connection, query, formula, item, hits=read_model_hits, read=hydrate)


async def stored_item(connection: Connection, source: Source, item_id: int, viewer: int | None) -> Item:
    """An item as the read model shows it.

    Raises:
        NotFound: there is none, or `viewer` may not see it.
    """
    found = await hydrate(connection, [(source.code, item_id)], SHORT)
    if not found or (found[0].is_private and found[0].creator_id != viewer):
        raise NotFound(f"There is no {source.name} item {item_id}.")
    return found[0]


def not_found_by_search(item: Item) -> NotFound:
    """The error that the item is there and the search does not find it."""
    return NotFound(
        f"The search does not find the {SOURCE_BY_CODE[item.source].name} item {item.id}.",
        hint="It exists, but the filters exclude it.",
    )


async def among_rows(
    connection: Connection, query: GalleryQuery, formula: Formula, item: Item, *, hits: Hits, read: Hydrate
) -> Neighbours:
    """The neighbours of `item` among rows; costs what the hits cost."""
    field = query.sort_field
    place = Cursor("after", sort_value(item, field), item.id, item.source)
    compiler = Compiler()
    rows = hits(compiler, formula, field)
    forward = Walk.of(field, query.sort_order, place)
    backward = Walk.of(field, query.sort_order, Cursor("before", place.value, place.id, place.source))
    parts = {
        "{hits}": rows,
        "{before}": backward.after(compiler),
        "{after}": forward.after(compiler),
        "{backward}": backward.merged(),
        "{forward}": forward.merged(),
        "{id}": compiler.bind(item.id, "bigint"),
        "{source}": compiler.bind(item.source, "smallint"),
    }
    sql = SQL["around"]
    for mark, part in parts.items():
        sql = sql.replace(mark, part)
    row = await connection.fetchrow(sql, *compiler.values)
    assert row is not None
    if not row["found"]:
        raise not_found_by_search(item)
    beside = [tuple(key) for key in (row["previous"], row["next"]) if key is not None]
    found = {each.key: each for each in await read(connection, [(int(s), int(i)) for s, i in beside], SHORT)}

    def shown(key: list[int] | None) -> Item | None:
        return None if key is None else found.get((key[1], key[0]))

    return Neighbours(shown(row["previous"]), item, shown(row["next"]), row["before"] + 1, row["total"])
