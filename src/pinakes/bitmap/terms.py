"""Terms: the names of the sets of documents an index keeps, and which of them an item is in.

    tag:17  source:1  type:image  creator:42  vis:public  word:castle      facts, as in formulas
    all                                                                    every live document
    tags=12                                                                its number of tags
    F:null                                                                 no value in order field F
    F<1 … F<15                                                             steps: code below k/16 of all codes
    F@0 … F@255                                                            bands: the code's top eight bits
    F#7 … F#0                                                              slices: the code's other bits
    F~7 … F~0                                                              fine slices: the place inside a code

F is one of `ORDER_FIELDS`: the sort fields, and `key`, the pair (id, source) that breaks ties. The
text after the first colon is the value as it is, so names are unique without any quoting.

An item with 12 tags, 30 words and a score is in about 80 terms. Steps, bands and slices of one
field cost about 5 bytes a document where values are scattered, and next to nothing where they
follow the document numbers, as `created_at` does; fine slices, which only large galleries have, one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from pinakes.query.formula import Term
from pinakes.query.item import Item
from pinakes.query.order import SortValue
from pinakes.query.text import words

OrderField: TypeAlias = Literal["created_at", "updated_at", "quality_score", "title", "key"]
Key: TypeAlias = int | float | str
"""An order field's value as codes see it: microseconds, a number, a prefix, or a tie-breaking pair in one number."""

ORDER_FIELDS: tuple[OrderField, ...] = get_args(OrderField)
NULLABLE: frozenset[OrderField] = frozenset({"quality_score"})

ALL = "all"
MAX_TAGS = 1000
"""Tags an item may carry."""

SLICES = 8
FINE = 8
BANDS = 256
STEPS = 16
BAND_WIDTH = 1 << SLICES
BANDS_A_STEP = BANDS // STEPS

PREFIX = 64
"""Titles are told apart by this many characters; longer ones with the same beginning share a code."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SOURCE_BITS = 15
_OWN = 1 << 47
_BEYOND = _OWN << _SOURCE_BITS


def name(term: Term) -> str:
    """The name of a formula's term."""
    return f"{term.field}:{term.value}"


def tagged(count: int) -> str:
    """The documents with so many tags."""
    return f"tags={count}"


def null(field: OrderField) -> str:
    """The documents without a value in `field`."""
    return f"{field}:null"


def step(field: OrderField, k: int) -> str:
    """The documents whose code is in the first `k` of `STEPS` equal parts."""
    return f"{field}<{k}"


def band(field: OrderField, number: int) -> str:
    """The documents whose code has these top bits."""
    return f"{field}@{number}"


def slice_(field: OrderField, bit: int) -> str:
    """The documents whose code has this bit set."""
    return f"{field}#{bit}"


def fine(field: OrderField, bit: int) -> str:
    """The documents whose place inside their code has this bit set."""
    return f"{field}~{bit}"


def of_code(field: OrderField, code: int, place: int = 0) -> tuple[str, ...]:
    """The terms that spell `code`, and the place inside it."""
    return _of_top(field, code >> SLICES) + _of_low(field, code & (BAND_WIDTH - 1)) + _of_place(field, place)


# The applier spells ten codes for each item that changed, so the 256 spellings of each byte are kept.
@cache
def _of_top(field: OrderField, number: int) -> tuple[str, ...]:
    return band(field, number), *(step(field, k) for k in range(number // BANDS_A_STEP + 1, STEPS))


@cache
def _of_low(field: OrderField, bits: int) -> tuple[str, ...]:
    return tuple(slice_(field, bit) for bit in range(SLICES) if bits >> bit & 1)


@cache
def _of_place(field: OrderField, place: int) -> tuple[str, ...]:
    return tuple(fine(field, bit) for bit in range(FINE) if place >> bit & 1)


def tie_key(item_id: int, source: int) -> int:
    """(id, source) as one number of 64 bits in the same order, for every id that PostgreSQL can store.

    Ids from -2^47 to 2^47 - 1 have keys of their own. Beyond, two neighbouring ids share one: PostgreSQL sorts
    what has the same key, so that costs a row or two and no answer.
    """
    if -_OWN <= item_id < _OWN:
        return (item_id << _SOURCE_BITS) | source
    if item_id > 0:
        return _BEYOND + ((item_id - _OWN) >> 1)
    return -_BEYOND - 1 + ((item_id + _OWN) >> 1)


def tie_keys(item_ids: npt.NDArray[np.int64], sources: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`tie_key` of many."""
    keys = (item_ids << _SOURCE_BITS) | sources
    above, below = item_ids >= _OWN, item_ids < -_OWN
    if above.any():
        keys[above] = _BEYOND + ((item_ids[above] - _OWN) >> 1)
    if below.any():
        keys[below] = -_BEYOND - 1 + ((item_ids[below] + _OWN) >> 1)
    return keys


def sort_key(value: SortValue) -> Key | None:
    """A sort value as codes see it."""
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value[:PREFIX] if isinstance(value, str) else value


def facts(item: Item) -> Iterator[str]:
    """The terms of `item` that do not depend on any code."""
    tags = (tag.id for tag in item.tags)
    kind, creator, private = item.content_type, item.creator_id, item.is_private
    return facts_of(item.source, kind, creator, tags, private=private, texts=(item.title, item.prompt or ""))


def facts_of(
    source: int,
    content_type: str,
    creator: int,
    tags: Iterable[int],
    *,
    private: bool,
    texts: tuple[str, ...],
    carried: int | None = None,
) -> Iterator[str]:
    """The same, from the facts themselves; `carried`: how many tags it has, where `tags` are only some of them."""
    yield ALL
    yield f"source:{source}"
    yield f"type:{content_type}"
    yield f"creator:{creator}"
    yield "vis:private" if private else "vis:public"
    given = set(tags)
    yield tagged(len(given) if carried is None else carried)
    for tag in given:
        yield f"tag:{tag}"
    for word in {word for text in texts for word in words(text)}:
        yield f"word:{word}"


def order_keys(item: Item) -> Iterator[tuple[OrderField, Key | None]]:
    """Each order field with the item's key in it."""
    yield "created_at", sort_key(item.created_at)
    yield "updated_at", sort_key(item.updated_at)
    yield "quality_score", item.quality_score
    yield "title", sort_key(item.title)
    yield "key", tie_key(item.id, item.source)


def field_terms(field: OrderField) -> Iterable[str]:
    """Every term of an order field."""
    yield null(field)
    yield from (step(field, k) for k in range(1, STEPS))
    yield from (band(field, number) for number in range(BANDS))
    yield from (slice_(field, bit) for bit in range(SLICES))
    yield from (fine(field, bit) for bit in range(FINE))
