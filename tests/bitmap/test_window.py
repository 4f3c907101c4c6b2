"""Windows against the oracle: whoever sorts a window has the page, for every page of every order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from galleries import INSTANTS, Gallery, galleries
from pinakes.bitmap.codes import SortCode
from pinakes.bitmap.runs import Position
from pinakes.bitmap.source import MemorySource
from pinakes.bitmap.terms import OrderField, sort_key, tie_key
from pinakes.bitmap.window import Windows
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, SortField, SortOrder
from pinakes.query.item import Item
from pinakes.query.order import ordered, position
from term_indexes import codes_of, index_of

orders = st.sampled_from([(field, order) for field in SORT_FIELDS for order in SORT_ORDERS])


class PatientSource(MemorySource):
    """One that would rather have documents looked at."""

    def __init__(self, bitmaps: dict[str, BitMap], codes: dict[OrderField, SortCode], patience: int) -> None:
        super().__init__(bitmaps, codes)
        self.most = patience
        self.strains: list[OrderField] = []

    def patience(self, field: OrderField) -> int:
        return self.most

    def strained(self, field: OrderField) -> None:
        self.strains.append(field)


def place(item: Item, field: SortField) -> Position:
    value, item_id, source = position(item, field)
    return Position(sort_key(value), tie_key(item_id, source))


def check_pages(
    source: MemorySource,
    items: tuple[Item, ...],
    hits: BitMap,
    asked: tuple[SortField, SortOrder],
    *,
    spare: int,
    sizes: tuple[int, ...],
    patience: int = 0,
) -> None:
    """Every page of several sizes, by rank, and the bracket of every position."""
    source = PatientSource(source.bitmaps, source.codes, patience)
    field, order = asked
    truth = ordered([items[doc] for doc in hits], field, order)
    windows = Windows(source, hits, field, order, spare=spare, whole=0)
    for size in sizes:
        for start in range(0, len(truth) + size, size):
            found = windows.around(range(start, start + size))
            inside = ordered([items[doc] for doc in found.docs], field, order)
            assert inside == truth[found.first : found.first + len(inside)]
            assert inside[start - found.first :][:size] == truth[start : start + size]
    ranks = {item.key: rank for rank, item in enumerate(truth)}
    for item in items:
        bracket = windows.bracket(place(item, field))
        if item.key in ranks:
            assert bracket.start <= ranks[item.key] < bracket.stop
        else:
            standing = ordered([*truth, item], field, order).index(item)
            assert bracket.start <= standing <= bracket.stop


@given(galleries(), orders, st.integers(0, 24), st.sampled_from([0, 1, 3, 8]), st.integers(0, 2**26 - 1))
def test_any_page_of_any_order(
    gallery: Gallery, asked: tuple[SortField, SortOrder], fitted: int, spare: int, chosen: int
) -> None:
    items = gallery.items
    hits = BitMap(doc for doc in range(len(items)) if chosen >> doc & 1)
    check_pages(
        index_of(items, codes_of(items[:fitted], fine=bool(chosen & 1))),
        items,
        hits,
        asked,
        spare=spare,
        sizes=(1, 2, 5),
        patience=(0, 2, 5, 100)[chosen >> 24],
    )


def many_items(count: int, seed: int) -> tuple[Item, ...]:
    """A gallery with runs of equal values, missing scores and values of its own."""
    random = Random(seed)
    base = Item(
        source=1, id=1, external_id="x", title="", content_type="image", creator_id=1, creator_username="ada",
        created_at=INSTANTS[2], updated_at=INSTANTS[2],
    )  # fmt: skip
    items = []
    for n in range(count):
        when = INSTANTS[2] + timedelta(seconds=random.choice((0, 0, random.randrange(10_000))))
        items.append(
            replace(
                base,
                source=1 + n % 2,
                id=1 + n // 2,
                title=random.choice(("castle", "x" * 80 + str(n % 3), f"title {random.randrange(200)}")),
                quality_score=random.choice((None, 0.5, random.random(), random.gauss(0, 100))),
                created_at=when,
                updated_at=when + timedelta(seconds=random.randrange(3)),
            )
        )
    random.shuffle(items)
    return tuple(items)


@pytest.mark.parametrize("asked", [(field, order) for field in SORT_FIELDS for order in SORT_ORDERS])
@pytest.mark.parametrize("fitted", [0, 30, 300])
@pytest.mark.parametrize("fine", [False, True])
def test_pages_of_a_larger_gallery(asked: tuple[SortField, SortOrder], fitted: int, fine: bool) -> None:
    items = many_items(300, seed=fitted)
    hits = BitMap(doc for doc in range(len(items)) if Random(doc).random() < 0.7)
    for patience in (0, 60):
        source = index_of(items, codes_of(items[:fitted], fine=fine))
        check_pages(source, items, hits, asked, spare=10, sizes=(7, 40), patience=patience)


@pytest.mark.parametrize("order", SORT_ORDERS)
@pytest.mark.parametrize("score", [None, 0.5])
def test_ties_are_told_apart_by_identity(order: SortOrder, score: float | None) -> None:
    """A thousand equal scores, or missing ones, do not make a window of a thousand."""
    items = tuple(replace(item, quality_score=score) for item in many_items(1_000, seed=1))
    windows = Windows(index_of(items), BitMap(range(1_000)), "quality_score", order, spare=10, whole=10)
    for start in range(0, 1_000, 7):
        assert len(windows.around(range(start, start + 7)).docs) <= 7 + 2 * 10


@pytest.mark.parametrize("patience", [50, 1_000])
@pytest.mark.parametrize("asked", [(field, order) for field in SORT_FIELDS for order in SORT_ORDERS])
def test_patience_bounds_what_is_looked_at(asked: tuple[SortField, SortOrder], patience: int) -> None:
    """Up to as many rows at either end, and never the less for the patience."""
    items = many_items(1_000, seed=2)
    memory = index_of(items)
    for start in range(0, 1_000, 40):
        ranks = range(start, start + 10)
        source = PatientSource(memory.bitmaps, memory.codes, patience)
        patient = Windows(source, BitMap(range(1_000)), *asked, spare=4, whole=10).around(ranks)
        exact = Windows(memory, BitMap(range(1_000)), *asked, spare=4, whole=10).around(ranks)
        assert len(exact.docs) <= len(patient.docs) <= max(10 + 2 * patience, len(exact.docs))
        assert bool(source.strains) >= (len(patient.docs) > len(exact.docs))
        assert len(patient.docs) == 1_000 or patience < 1_000 or asked[0] == "quality_score"


def test_a_page_beyond_the_end_is_empty() -> None:
    items = many_items(50, seed=1)
    windows = Windows(index_of(items), BitMap(range(50)), "title", "asc", spare=10, whole=10)
    assert not windows.around(range(50, 75)).docs
    assert not windows.around(range(10**12, 10**12 + 25)).docs
