"""Around: where an item stands inside a search, and what comes before and after it there."""

from __future__ import annotations

from dataclasses import dataclass

from pinakes.engines.overlap import SQL, hits
from pinakes.errors import NotFound
from pinakes.query.cursor import Cursor
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item
from pinakes.query.order import sort_value
from pinakes.query.sources import Source
from pinakes.store import content
from pinakes.store.compiler import Compiler
from pinakes.store.keyset import Walk
from pinakes.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`rank` counts from 1."""

    previous: Item | None
    item: Item
    next: Item | None
    rank: int
    total: int


async def around(
    connection: Connection, query: GalleryQuery, formula: Formula, source: Source, item_id: int
) -> Neighbours:
    """The neighbours of an item in the order of `query`, `formula` being its meaning.

    Raises:
        NotFound: there is no such item, the viewer may not see it, or the search does not find it.
    """
    item = await content.read(connection, source, item_id, query.viewer)
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
        raise NotFound(
            f"The search does not find the {source.name} item {item_id}.", hint="It exists, but the filters exclude it."
        )
    beside = [tuple(key) for key in (row["previous"], row["next"]) if key is not None]
    found = {each.key: each for each in await content.hydrate(connection, [(int(s), int(i)) for s, i in beside])}

    def shown(key: list[int] | None) -> Item | None:
        return None if key is None else found.get((key[1], key[0]))

    return Neighbours(shown(row["previous"]), item, shown(row["next"]), row["before"] + 1, row["total"])
