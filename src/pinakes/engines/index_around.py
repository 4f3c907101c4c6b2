"""An item's neighbours from the bitmap index: its rank is bracketed by codes, and a few rows tell the rest."""

from __future__ import annotations

from pinakes.bitmap.runs import Position
from pinakes.bitmap.terms import sort_key, tie_key
from pinakes.bitmap.window import Window, Windows
from pinakes.engines.around import Neighbours, not_found_by_search, stored_item
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_page import read_keys
from pinakes.engines.overlap import SQL
from pinakes.index.reader import RequestSource, State
from pinakes.query.fieldset import SHORT
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.order import sort_value
from pinakes.query.sources import Source
from pinakes.store.pool import Connection
from pinakes.view.reading import hydrate


async def around(
    engine: IndexEngine,
    connection: Connection,
    state: State,
    query: GalleryQuery,
    formula: Formula,
    *,
    source: Source,
    item_id: int,
) -> Neighbours:
    """The neighbours of an item in the order of `query`, as of `state`.

    Raises:
        NotFound: there is no such item, the viewer may not see it, or the search does not find it.
        ReadModelNotReady: too many documents are in doubt.
    """
    item = await stored_item(connection, source, item_id, query.viewer)
    doc = await connection.fetchval(SQL["document"], source.code, item_id)
    hits = await engine.hits(connection, state, formula)
    if doc not in hits:
        raise not_found_by_search(item)
    place = Position(sort_key(sort_value(item, query.sort_field)), tie_key(item.id, item.source))

    def window(bitmaps: RequestSource) -> Window:
        windows = Windows(bitmaps, hits, query.sort_field, query.sort_order)
        ranks = windows.bracket(place)
        return windows.around(range(max(ranks.start - 1, 0), ranks.stop + 1))

    found = await engine.reader.run(connection, state, window)
    keys = [(code, number) for code, number, _ in await read_keys(connection, query, list(found.docs))]
    at = keys.index((item.source, item.id))
    beside = [keys[at - 1] if at else None, keys[at + 1] if at + 1 < len(keys) else None]
    rows = {each.key: each for each in await hydrate(connection, [key for key in beside if key is not None], SHORT)}
    previous, following = (None if key is None else rows.get((key[1], key[0])) for key in beside)
    return Neighbours(previous, item, following, found.first + at + 1, len(hits))
