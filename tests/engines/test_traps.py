"""The traps that galleries are known to fall into, each by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from galleries import TAGS, USERS, Gallery, names, store
from pinakes.errors import CursorMismatch, InvalidCursor, InvalidParameter
from pinakes.query.gallery_query import SORT_FIELDS, GalleryQuery, SortField
from pinakes.query.item import Item, Page
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool

Ask = Callable[..., Awaitable[Page]]

DAY = datetime(2024, 5, 1, tzinfo=UTC)
BY_NAME = {tag.name: tag for tag in TAGS}


def item(source: int, item_id: int, *tags: str, creator: int = 1, title: str = "", **fields: object) -> Item:
    moment = DAY + timedelta(minutes=item_id)
    values = {
        "external_id": f"x{item_id}",
        "content_type": "image",
        "creator_username": USERS[creator],
        "created_at": moment,
        "updated_at": moment,
        "tags": tuple(sorted((BY_NAME[name] for name in tags), key=lambda tag: tag.name)),
        **fields,
    }
    return Item(source=source, id=item_id, creator_id=creator, title=title, **values)  # type: ignore[arg-type]


@pytest.fixture
def service(pool: Pool, settings: Settings) -> ContentService:
    return ContentService(pool, settings.model_copy(update={"engine": "base"}))


@pytest.fixture
def ask(pool: Pool, service: ContentService) -> Ask:
    async def asked(items: Iterable[Item], **parameters: object) -> Page:
        await store(pool, Gallery(tuple(items)))
        return await service.get_unified_content_paginated(GalleryQuery(**parameters))  # type: ignore[arg-type]

    return asked


GALLERY = (
    item(1, 1, "sunset"),
    item(1, 2, "castle"),
    item(1, 3, "sunset", "castle"),
    item(2, 1, "watercolor"),
    item(2, 2),
    item(2, 3, "castle", creator=2, is_private=True),
)


async def test_any_with_two_tags_counts_any(ask: Ask) -> None:
    page = await ask(GALLERY, tags_any=("sunset", "castle"))
    assert (page.total_count, len(page.items)) == (3, 3)


async def test_equal_ids_in_both_tables_never_share_tags(ask: Ask) -> None:
    page = await ask(GALLERY, tags_all=("watercolor",))
    assert names(page.items) == ["auto:1"]
    page = await ask(GALLERY, tags_none=("sunset", "castle"))
    assert names(page.items) == ["auto:2", "auto:1"]


@pytest.mark.parametrize(("search", "found"), [("%", []), ("_", []), ("100%", ["regular:1"]), ("a_b", ["regular:2"])])
async def test_percent_and_underscore_mean_themselves(ask: Ask, search: str, found: list[str]) -> None:
    items = (
        item(1, 1, title="100% wool"),
        item(1, 2, title="a_b"),
        item(1, 3, title="1000 wool"),
        item(1, 4, title="axb ab"),
    )
    page = await ask(items, search_term=search)
    assert (names(page.items), page.total_count) == (found, len(found))


@pytest.mark.parametrize("field", SORT_FIELDS)
async def test_a_cursor_with_any_sort_moves_on(ask: Ask, service: ContentService, field: SortField) -> None:
    items = [
        item(source, i, title=f"t{i // 3}", quality_score=None if i % 2 else i / 4, created_at=DAY, updated_at=DAY)
        for i in range(1, 8)
        for source in (1, 2)
    ]
    page: Page = await ask(items, sort_field=field, page_size=3)
    met = names(page.items)
    while page.next_cursor:
        page = await service.get_unified_content_paginated(
            GalleryQuery(sort_field=field, page_size=3, cursor=page.next_cursor)
        )
        met += names(page.items)
    assert len(met) == len(set(met)) == 14


async def test_a_foreign_or_broken_cursor_is_never_page_one(ask: Ask, service: ContentService) -> None:
    page: Page = await ask(GALLERY, page_size=1)
    cursor = page.next_cursor
    assert cursor is not None
    with pytest.raises(CursorMismatch):
        await service.get_unified_content_paginated(GalleryQuery(cursor=cursor, tags_any=("castle",)))
    with pytest.raises(CursorMismatch):
        await service.get_unified_content_paginated(GalleryQuery(cursor=cursor, viewer=2))
    with pytest.raises(InvalidCursor):
        await service.get_unified_content_paginated(GalleryQuery(cursor=cursor[:-1]))


async def test_a_cursor_outlives_the_item_it_stood_beside(ask: Ask, pool: Pool) -> None:
    page: Page = await ask(GALLERY, page_size=2)
    rest = ["auto:2", "regular:2", "auto:1", "regular:1"]
    assert names(page.items) == ["regular:3", "auto:2"]
    left = tuple(i for i in GALLERY if (i.source, i.id) != (2, 2))
    after = await ask(left, page_size=9, cursor=page.next_cursor)
    assert names(after.items) == rest[1:]


async def test_tag_order_and_repetition_change_nothing(ask: Ask) -> None:
    one = await ask(GALLERY, tags_all=("sunset", "castle"))
    other = await ask(GALLERY, tags_all=("castle", "sunset", "castle", 1))
    assert names(one.items) == names(other.items) == ["regular:3"]


async def test_private_items_appear_in_no_total(ask: Ask) -> None:
    for parameters in ({}, {"viewer": 1}, {"user_id": 2, "content_source_types": ("user-auto",)}):
        page: Page = await ask(GALLERY, **parameters)
        assert "auto:3" not in names(page.items)
        assert page.total_count == len(page.items)
    page = await ask(GALLERY, viewer=2)
    assert (page.total_count, names(page.items)[1]) == (6, "regular:3")


async def test_a_tag_only_private_items_carry_is_unknown_to_strangers(ask: Ask) -> None:
    items = (item(1, 1), item(1, 2, "watercolor", creator=2, is_private=True))
    page: Page = await ask(items, tags_all=("watercolor",))
    never: Page = await ask(items, tags_all=("no such tag",))
    assert (page.total_count, len(page.warnings)) == (never.total_count, len(never.warnings)) == (0, 1)
    own: Page = await ask(items, tags_all=("watercolor",), viewer=2)
    assert (names(own.items), own.warnings) == (["regular:2"], ())


async def test_an_unknown_tag_matches_nothing_and_says_so(ask: Ask) -> None:
    page: Page = await ask(GALLERY, tags_any=("sunset", "no such tag"))
    assert page.total_count == 2
    assert any("no such tag" in warning for warning in page.warnings)
    page = await ask(GALLERY, tags_all=("sunset", 424242))
    assert page.total_count == 0
    assert any("424242" in warning for warning in page.warnings)


async def test_a_page_beyond_the_end_is_empty_and_keeps_the_total(ask: Ask) -> None:
    for parameters in ({}, {"tags_any": ("sunset", "castle")}, {"search_term": "-nothing"}):
        page: Page = await ask(GALLERY, page=9, page_size=2, **parameters)
        whole: Page = await ask(GALLERY, **parameters)
        assert page.items == ()
        assert page.total_count == whole.total_count == len(whole.items)
        assert (page.has_next, page.has_previous) == (False, True)


async def test_an_empty_list_of_sources_is_empty_and_absent_is_all(ask: Ask) -> None:
    assert (await ask(GALLERY, content_source_types=())).total_count == 0
    assert (await ask(GALLERY)).total_count == 5


async def test_your_items_are_the_viewers_where_no_user_is_named(ask: Ask) -> None:
    page: Page = await ask(GALLERY, viewer=2, content_source_types=("user-auto",))
    assert names(page.items) == ["auto:3"]


@pytest.mark.parametrize(
    "bad",
    [
        {"sort_field": "created_at; DROP TABLE users"},
        {"sort_field": "id"},
        {"sort_order": "desc, (SELECT 1)"},
        {"creator_filter": "everyone"},
        {"content_source_types": ("user-elsewhere",)},
        {"page": 0},
        {"page_size": 0},
        {"page_size": 5000},
    ],
)
def test_what_becomes_part_of_a_statement_comes_from_closed_lists(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter):
        GalleryQuery(**bad)  # type: ignore[arg-type]


async def test_a_count_beyond_its_budget_is_a_lower_bound(pool: Pool, settings: Settings) -> None:
    await store(pool, Gallery(GALLERY))
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO content_items (title, creator_id) SELECT 'filler ' || n, 1 FROM generate_series(1, 60000) AS n"
        )
    hurried = ContentService(pool, settings.model_copy(update={"engine": "base", "count_budget_ms": 1}))
    page = await hurried.get_unified_content_paginated(GalleryQuery(page_size=10))
    assert (page.total_kind, page.total_count, page.has_next) == ("lower_bound", 11, True)
    assert (await hurried.get_unified_content_paginated(GalleryQuery(page=10**9))).total_count == 0
    patient = ContentService(pool, settings.model_copy(update={"engine": "base"}))
    page = await patient.get_unified_content_paginated(GalleryQuery(page_size=10))
    assert (page.total_kind, page.total_count) == ("exact", 60_005)


async def test_sources_not_asked_for_are_not_touched(pool: Pool, settings: Settings) -> None:
    """Without its table, a query that does not need it still answers."""
    await store(pool, Gallery(GALLERY))
    async with pool.acquire() as connection:
        await connection.execute("ALTER TABLE content_items_auto RENAME TO hidden")
    service = ContentService(pool, settings.model_copy(update={"engine": "base"}))
    page = await service.get_unified_content_paginated(
        GalleryQuery(content_source_types=("regular",), search_term="-zebra")
    )
    assert page.total_count == 3
