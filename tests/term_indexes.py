"""Indexes in memory over galleries in memory, built the slow and obvious way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.codes import SortCode, cut_code
from pinakes.bitmap.source import MemorySource
from pinakes.bitmap.terms import ORDER_FIELDS, OrderField
from pinakes.query.item import Item


def codes_of(items: Sequence[Item], *, fine: bool = False) -> dict[OrderField, SortCode]:
    """Codes cut to fit `items`."""
    keys: dict[OrderField, list[Any]] = {field: [] for field in ORDER_FIELDS}
    for item in items:
        for field, key in terms.order_keys(item):
            if key is not None:
                keys[field].append(key)
    return {field: cut_code(sorted(found), fine=fine) for field, found in keys.items()}


def terms_of(item: Item, codes: dict[OrderField, SortCode]) -> set[str]:
    """Every term of `item`."""
    found = set(terms.facts(item))
    for field, key in terms.order_keys(item):
        code = codes[field]
        found.update([terms.null(field)] if key is None else terms.of_code(field, code(key), code.place(key)))
    return found


def index_of(items: Sequence[Item], codes: dict[OrderField, SortCode] | None = None) -> MemorySource:
    """An index in which item number i is document i."""
    codes = codes_of(items) if codes is None else codes
    bitmaps: dict[str, BitMap] = {}
    for doc, item in enumerate(items):
        for term in terms_of(item, codes):
            bitmaps.setdefault(term, BitMap()).add(doc)
    return MemorySource(bitmaps, codes)
