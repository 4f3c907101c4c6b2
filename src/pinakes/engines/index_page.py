"""The page out of a window: where it lies, its rows in their real order, its items.

A window is some dozens of documents that must hold the page (`bitmap.window`); PostgreSQL sorts them
by their real values. With a cursor the place inside the window follows from the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from pyroaring import BitMap

from pinakes.bitmap.runs import Position
from pinakes.bitmap.terms import sort_key, tie_key
from pinakes.bitmap.window import Window, Windows
from pinakes.index.reader import RequestSource
from pinakes.query.cursor import Cursor
from pinakes.query.fieldset import COMPLETE, Rules, rules
from pinakes.query.gallery_query import GalleryQuery, SortField, SortOrder
from pinakes.query.item import Item, Tag
from pinakes.query.order import SortValue
from pinakes.store.large import large_columns
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.definition import COLUMNS
from pinakes.view.epoch import with_at

_SQL = with_at(load("rows", "pinakes.index.sql"))
_SHOWN = tuple(column for column in COLUMNS if column not in {"source_type", "tags"})
_FIELDS = ("source", *_SHOWN, "omitted", "tags")
_NAME = attrgetter("name")
_NOTHING = ", ".join("NULL AS " + column for column in (*_SHOWN, "omitted"))


@dataclass(slots=True)
class Found:
    """Where the page is: how many hits there are, a window of them, and the page's first rank if it is known."""

    total: int
    window: Window
    start: int


async def read_page(connection: Connection, query: GalleryQuery, docs: list[int], skip: int) -> list[Item]:
    """The items of a page out of the window `docs`, in order. One statement for the rows and all their tags."""
    sql = statement("page", query.sort_field, query.sort_order, rules(query.fields))
    rows = await connection.fetch(sql, docs, skip, query.page_size)
    if not rows:
        return []
    first = rows[0]
    named = zip(first["tag_ids"] or (), first["tag_names"] or (), first["tag_categories"] or (), strict=True)
    tags = {number: Tag(number, name, category) for number, name, category in named}
    return items_of(rows, tags)


def items_of(rows: Sequence[Any], tags: Mapping[int, Tag]) -> list[Item]:
    """The items in rows of `page` or `page_now`, which begin with `_FIELDS`."""
    items = []
    for row in rows:
        values = dict(zip(_FIELDS, row, strict=False))
        shown = [tag for tag in map(tags.get, values["tags"]) if tag is not None]
        shown.sort(key=_NAME)
        values["tags"] = tuple(shown)
        values["omitted"] = tuple(values["omitted"] or ())
        items.append(Item(**values))
    return items


async def read_keys(connection: Connection, query: GalleryQuery, docs: list[int]) -> list[tuple[int, int, SortValue]]:
    """(source, id, sort value) of the window `docs`, in order."""
    rows = await connection.fetch(statement("keys", query.sort_field, query.sort_order), docs)
    return [(row["source"], row["id"], row["key"]) for row in rows]


def _columns(large: Rules) -> str:
    """The columns of an item; `$3` of the statements is the number of items on the page."""
    limited = large_columns("stored", large, "$3")
    columns = [f"{limited[name]} AS {name}" if name in limited else f"stored.{name}" for name in _SHOWN]
    return ", ".join((*columns, f"{limited['omitted']} AS omitted"))


@cache
def statement(name: str, field: SortField, order: SortOrder, large: Rules = COMPLETE) -> str:
    """The statement `name` of `rows.sql` in this order; all of it comes from closed lists."""
    way = "ASC" if order == "asc" else "DESC"
    sql = _SQL[name].replace("{columns}", _columns(large)).replace("{nothing}", _NOTHING)
    return sql.replace("{field}", field).replace("{way}", way)


def locate(source: RequestSource, hits: BitMap, query: GalleryQuery, cursor: Cursor | None) -> Found:
    """The window that holds the page."""
    total, size = len(hits), query.page_size
    windows = Windows(source, hits, query.sort_field, query.sort_order)
    if cursor is None:
        start = (query.page - 1) * size
        return Found(total, windows.around(range(start, start + size)), start)
    bracket = windows.bracket(Position(sort_key(cursor.value), tie_key(cursor.id, cursor.source)))
    ranks = (
        range(bracket.start, bracket.stop + size)
        if cursor.side == "after"
        else range(bracket.start - size, bracket.stop)
    )
    return Found(total, windows.around(ranks), 0)


def standing(keys: list[tuple[int, int, SortValue]], cursor: Cursor, query: GalleryQuery) -> int:
    """How many of `keys`, which are in order, stand before the page: before the cursor, and at it if it looks after."""
    count = 0
    for source, item_id, value in keys:
        here, there = (value, item_id, source), (cursor.value, cursor.id, cursor.source)
        if here == there:
            return count + (cursor.side == "after")
        if not _precedes(here, there, query.sort_order == "asc"):
            break
        count += 1
    return count


def _precedes(here: tuple[Any, int, int], there: tuple[Any, int, int], ascending: bool) -> bool:
    """Whether `here` comes before `there` in the order; missing values come last both ways."""
    if (here[0] is None) != (there[0] is None):
        return there[0] is None
    if here[0] is None:
        here, there = (0, *here[1:]), (0, *there[1:])
    return here < there if ascending else here > there
