"""Every engine gives the oracle's answer: items, order, total, flags and cursors, on real PostgreSQL."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import INSTANTS, TAGS, Gallery, galleries, names, queries, store
from pinakes.engines import base_plan
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, GalleryQuery, SortField, SortOrder, to_formula
from pinakes.query.item import Item, Page
from pinakes.query.oracle import answer
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool

MAX_PAGES = 40


@pytest.fixture
def service(pool: Pool, settings: Settings) -> ContentService:
    return ContentService(pool, settings.model_copy(update={"engine": "base"}))


async def _check(service: ContentService, gallery: Gallery, query: GalleryQuery) -> Page:
    """Asks the engine and the oracle, and holds the two to each other."""
    meant = query if query.user_id is not None else dataclasses.replace(query, user_id=query.viewer)
    formula = to_formula(meant, gallery.vocabulary)
    expected = answer(
        formula, gallery.items, query.sort_field, query.sort_order, page=query.page, page_size=query.page_size
    )
    page = await service.get_unified_content_paginated(query)
    assert names(page.items) == names(expected.items)
    assert page.items == tuple(expected.items)
    assert (page.total_count, page.total_kind) == (expected.total, "exact")
    assert (page.has_next, page.has_previous) == (expected.has_next, expected.has_previous)
    return page


async def _walk(service: ContentService, query: GalleryQuery) -> tuple[list[Item], list[list[Item]]]:
    """All items by following next_cursor from page 1, and the pages met on the way back."""
    forward: list[Item] = []
    query = dataclasses.replace(query, page=1)
    page = await service.get_unified_content_paginated(query)
    forward += page.items
    total = page.total_count
    for _ in range(MAX_PAGES):
        if page.next_cursor is None:
            break
        page = await service.get_unified_content_paginated(dataclasses.replace(query, cursor=page.next_cursor))
        assert page.items
        assert page.has_previous
        assert page.total_count == total
        forward += page.items
    back: list[list[Item]] = [list(page.items)]
    for _ in range(MAX_PAGES):
        if page.prev_cursor is None:
            break
        page = await service.get_unified_content_paginated(dataclasses.replace(query, cursor=page.prev_cursor))
        assert page.items
        assert page.has_next
        back.append(list(page.items))
    return forward, back


@settings(max_examples=120)
@given(data=st.data())
async def test_pages_equal_the_oracles(data: st.DataObject, service: ContentService, pool: Pool) -> None:
    gallery = data.draw(galleries())
    await store(pool, gallery)
    for _ in range(6):
        await _check(service, gallery, data.draw(queries()))


@settings(max_examples=50)
@given(data=st.data())
async def test_walking_all_cursors_is_one_full_sort(data: st.DataObject, service: ContentService, pool: Pool) -> None:
    gallery = data.draw(galleries())
    await store(pool, gallery)
    query = data.draw(queries())
    meant = query if query.user_id is not None else dataclasses.replace(query, user_id=query.viewer)
    formula = to_formula(meant, gallery.vocabulary)
    whole = answer(formula, gallery.items, query.sort_field, query.sort_order, page_size=1000).items
    forward, back = await _walk(service, query)
    assert names(forward) == names(whole)
    assert [item for page in reversed(back) for item in page] == whole
    by_pages: list[Item] = []
    for number in range(1, -(-len(whole) // query.page_size) + 2):
        page = await _check(service, gallery, dataclasses.replace(query, page=number))
        by_pages += page.items
    assert by_pages == whole


@pytest.mark.parametrize("rule", ["walk_order", "drive_by_tag", "drive_by_words"])
@settings(max_examples=25)
@given(data=st.data())
async def test_every_rule_gives_the_same_answer(
    rule: str, data: st.DataObject, service: ContentService, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small galleries would always choose the same rule, so each is forced where it applies."""
    if rule == "walk_order":
        monkeypatch.setattr(base_plan, "_drive", lambda *_: False)
        monkeypatch.setattr(base_plan, "DENSE_WORDS", -1.0)
    elif rule == "drive_by_tag":
        monkeypatch.setattr(base_plan, "_drive", lambda *_: True)
    else:
        monkeypatch.setattr(base_plan, "_drive", lambda *_: False)
        monkeypatch.setattr(base_plan, "DENSE_WORDS", 1e9)
    gallery = data.draw(galleries())
    await store(pool, gallery)
    query = data.draw(queries())
    await _check(service, gallery, query)
    formula = to_formula(dataclasses.replace(query, user_id=query.user_id or query.viewer), gallery.vocabulary)
    whole = answer(formula, gallery.items, query.sort_field, query.sort_order, page_size=1000).items
    forward, back = await _walk(service, query)
    assert forward == whole
    assert [item for page in reversed(back) for item in page] == whole


FILTERS: dict[str, dict[str, object]] = {
    "walked": {},
    "driven by a tag": {"tags_any": ("sunset", "castle")},
    "driven by words": {"search_term": "castle"},
}


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("order", SORT_ORDERS)
@pytest.mark.parametrize("field", SORT_FIELDS)
async def test_every_order_can_be_walked_both_ways(
    field: SortField, order: SortOrder, filters: dict[str, object], service: ContentService, pool: Pool
) -> None:
    """Every boundary is met: ties within and across sources, and where present values end."""
    scores = (None, 0.5, None, 1.0, 0.5)
    gallery = Gallery(
        tuple(
            Item(
                source=source,
                id=item_id,
                external_id=f"x{item_id}",
                title=f"castle {item_id % 3}",
                content_type="image",
                creator_id=1,
                creator_username="ada",
                quality_score=scores[item_id % 5],
                created_at=INSTANTS[item_id % 3],
                updated_at=INSTANTS[item_id % 2],
                tags=TAGS[item_id % 2 : item_id % 2 + 1],
            )
            for item_id in range(1, 8)
            for source in (1, 2)
        )
    )
    await store(pool, gallery)
    for size in (1, 2, 3):
        query = GalleryQuery(sort_field=field, sort_order=order, page_size=size, **filters)  # type: ignore[arg-type]
        whole = answer(to_formula(query, gallery.vocabulary), gallery.items, field, order, page_size=99).items
        forward, back = await _walk(service, query)
        assert names(forward) == names(whole)
        assert [item for page in reversed(back) for item in page] == whole
        assert len(whole) == 14
