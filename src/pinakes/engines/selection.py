"""From chosen keys to a finished page: the last steps every engine shares.

An engine selects keys in walking order, one more than the page needs; here they are cut, turned
round if they were walked backwards, read in full, and given their cursors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from pinakes.query.cursor import Cursor, CursorCodec, Side
from pinakes.query.fieldset import Rules, rules
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item, Page, TotalKind
from pinakes.query.order import SortValue
from pinakes.store.content import hydrate
from pinakes.store.pool import Connection

Hydrate: TypeAlias = Callable[[Connection, Sequence[tuple[int, int]], Rules], Awaitable[list[Item]]]
"""Keys (source, id) -> their items in that order; from wherever the engine selected them."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Keys (source, id, sort value) in walking order, at most one more than the page size.

    `more`: hits remain where the walk was going; `behind`: hits lie where it came from.
    """

    keys: list[tuple[int, int, SortValue]]
    more: bool
    behind: bool
    total: int
    total_kind: TotalKind


async def finish(
    connection: Connection,
    query: GalleryQuery,
    formula: Formula,
    selection: Selection,
    codec: CursorCodec,
    *,
    backward: bool,
    engine: str,
    as_of: datetime,
    epoch: int | None = None,
    read: Hydrate = hydrate,
) -> Page:
    """The page of `selection`, walked `backward` or not. A page beyond the end is empty and keeps the total."""
    keys = selection.keys[: query.page_size]
    if backward:
        keys.reverse()
    has_next, has_previous = selection.more, selection.behind and selection.total > 0
    if backward:
        has_next, has_previous = selection.behind, selection.more

    def cursor(side: Side, key: tuple[int, int, SortValue]) -> str:
        source, item_id, value = key
        return codec.encode(Cursor(side, value, item_id, source), formula, query.sort_field, query.sort_order)

    return Page(
        items=tuple(await read(connection, [(source, item_id) for source, item_id, _ in keys], rules(query.fields))),
        total_count=selection.total,
        total_kind=selection.total_kind,
        page=None if query.cursor else query.page,
        page_size=query.page_size,
        has_next=has_next,
        has_previous=has_previous,
        next_cursor=cursor("after", keys[-1]) if keys and has_next else None,
        prev_cursor=cursor("before", keys[0]) if keys and has_previous else None,
        engine=engine,
        as_of=as_of,
        epoch=epoch,
        fields=query.fields,
    )
