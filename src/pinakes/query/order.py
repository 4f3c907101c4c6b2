"""The total order of an answer: (missing last, sort value, id, source), one direction for all.

Missing values come last both ways, titles order by code point, and ties end in (id, source) in
the direction of the sort, so two different items never compare equal.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from pinakes.query.gallery_query import SortField, SortOrder
from pinakes.query.item import Item

SortValue: TypeAlias = datetime | float | str | None


def sort_value(item: Item, field: SortField) -> SortValue:
    """The value `item` is sorted by."""
    value: SortValue = getattr(item, field)
    return value


def position(item: Item, field: SortField) -> tuple[SortValue, int, int]:
    """Where `item` stands in the order by `field`: what a cursor carries."""
    return (sort_value(item, field), item.id, item.source)


def ordered(items: list[Item], field: SortField, order: SortOrder) -> list[Item]:
    """`items` in the total order."""

    def key(item: Item) -> tuple[Any, int, int]:
        return (sort_value(item, field), item.id, item.source)

    descending = order == "desc"
    present = sorted((i for i in items if sort_value(i, field) is not None), key=key, reverse=descending)
    missing = sorted((i for i in items if sort_value(i, field) is None), key=lambda i: i.key, reverse=descending)
    return present + missing
