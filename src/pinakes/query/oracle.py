"""The oracle: the plainest possible answer, item by item. Slow and obviously right.

`matches` is the meaning of a formula; engines are tested against `answer`, which filters, sorts
and cuts a list. It is also what a running installation checks itself with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pinakes.query.cursor import Cursor
from pinakes.query.formula import And, Everything, Formula, Not, Nothing, Or, Phrase, Range, Tagged, Term
from pinakes.query.gallery_query import SortField, SortOrder
from pinakes.query.item import Item
from pinakes.query.order import ordered, position
from pinakes.query.text import contains_phrase, words


def matches(formula: Formula, item: Item) -> bool:
    """Whether `formula` is true of `item`."""
    match formula:
        case Everything():
            return True
        case Nothing():
            return False
        case Term():
            return _term(formula, item)
        case Phrase(wanted):
            return any(contains_phrase(words(text), wanted) for text in (item.title, item.prompt or ""))
        case Range():
            return _range(formula, item)
        case Tagged(low, high):
            return low <= len(item.tags) and (high is None or len(item.tags) <= high)
        case Not(part):
            return not matches(part, item)
        case And(parts):
            return all(matches(part, item) for part in parts)
        case Or(parts):
            return any(matches(part, item) for part in parts)


def _term(term: Term, item: Item) -> bool:
    match term.field:
        case "tag":
            return any(tag.id == term.value for tag in item.tags)
        case "source":
            return item.source == term.value
        case "type":
            return item.content_type == term.value
        case "creator":
            return item.creator_id == term.value
        case "vis":
            return item.is_private == (term.value == "private")
        case "word":
            return term.value in words(item.title) or term.value in words(item.prompt or "")


def _range(asked: Range, item: Item) -> bool:
    value = getattr(item, asked.field)
    if value is None:
        return False
    if asked.low is not None and value < asked.low:
        return False
    if asked.high is None:
        return True
    return bool(value < asked.high if asked.open_high else value <= asked.high)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the oracle says: the page's items, the exact total, and whether more lie on either side."""

    items: list[Item]
    total: int
    has_next: bool
    has_previous: bool


def answer(
    formula: Formula,
    items: Iterable[Item],
    field: SortField,
    order: SortOrder,
    *,
    page: int = 1,
    page_size: int,
    cursor: Cursor | None = None,
) -> Answer:
    """Page `page`, or the page beside `cursor`, of the items that match."""
    hits = ordered([item for item in items if matches(formula, item)], field, order)
    start = (page - 1) * page_size if cursor is None else _start(hits, field, order, cursor, page_size)
    stop = start + page_size
    if cursor is not None and cursor.side == "before":
        stop, start = start + page_size, max(start, 0)
    return Answer(hits[start:stop], len(hits), stop < len(hits), start > 0 and bool(hits))


def _start(hits: list[Item], field: SortField, order: SortOrder, cursor: Cursor, page_size: int) -> int:
    """Index of the first item of the page beside `cursor`; may be negative before the first page."""
    before = sum(_precedes(item, cursor, field, order) for item in hits)
    at = any(position(item, field) == (cursor.value, cursor.id, cursor.source) for item in hits)
    return before + at if cursor.side == "after" else before - page_size


def _precedes(item: Item, cursor: Cursor, field: SortField, order: SortOrder) -> bool:
    """Whether `item` comes before the cursor's position."""
    value, item_id, source = position(item, field)
    if (value is None) != (cursor.value is None):
        return cursor.value is None
    here = (value, item_id, source) if value is not None else (item_id, source)
    there = (cursor.value, cursor.id, cursor.source) if value is not None else (cursor.id, cursor.source)
    return bool(here < there) if order == "asc" else bool(here > there)
