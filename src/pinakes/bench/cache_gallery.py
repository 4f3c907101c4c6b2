"""The gallery of the cache's check: 150 items that a writer changes, and what the oracle says of each version."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pinakes.cache.body import write as write_body
from pinakes.query import formula as f
from pinakes.query.cursor import Cursor, CursorCodec
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import GalleryQuery, Ref, to_formula
from pinakes.query.item import Item, Page, Tag
from pinakes.query.oracle import answer
from pinakes.query.order import position
from pinakes.query.sources import SOURCES
from pinakes.store.pool import Pool
from pinakes.store.queries import for_source, load

ITEMS = 150
TAGS = {number: f"tag {number:02}" for number in range(1, 25)}
USERS = {1: "ada", 2: "ben", 3: "eve"}
_TITLES = ("sea at dawn", "red castle", "sea and castle", "quiet garden")

Items = dict[tuple[int, int], Item]
Change = list[tuple[str, tuple[Any, ...]]]


def first_items() -> Items:
    """The gallery as it begins."""
    rng = random.Random(1)
    found: Items = {}
    for number in range(ITEMS):
        source, item_id = SOURCES[number % len(SOURCES)].code, 1 + number // len(SOURCES)
        creator = rng.choice(list(USERS))
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        found[source, item_id] = Item(
            source=source,
            id=item_id,
            external_id=f"x{item_id}",
            title=rng.choice(_TITLES),
            content_type="image",
            creator_id=creator,
            creator_username=USERS[creator],
            is_private=rng.random() < 0.2,
            quality_score=rng.choice((None, 0.5, 1.5, rng.random())),
            created_at=moment,
            updated_at=moment,
            tags=_shown(rng.sample(sorted(TAGS), rng.randrange(1, 7)), TAGS),
        )
    return found


async def create(pool: Pool, items: Items) -> None:
    """Makes the database hold `items` and nothing else."""
    sql = load("cache_check", "pinakes.bench.sql")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(sql["clear"])
        await connection.executemany(sql["add_user"], list(USERS.items()))
        await connection.executemany(sql["add_tag"], list(TAGS.items()))
        for source in SOURCES:
            await connection.execute(for_source(sql["clear_source"], source))
        for item in items.values():
            for statement, values in _added(item):
                await connection.execute(statement, *values)


def write(
    rng: random.Random, items: Items, tags: dict[int, str], moment: datetime, *, hot: bool, renames: bool
) -> Change:
    """Changes `items` and `tags`, and says by which statements the database is changed the same way."""
    sql = load("cache_check", "pinakes.bench.sql")
    key = rng.choice(list(items))
    item, source = items[key], next(s for s in SOURCES if s.code == key[0])
    kinds = {"tag": 10, "hide": 3, "title": 4, "score": 4, "remove": 2, "rename": int(renames)}
    kind = "tag" if hot else rng.choices(list(kinds), list(kinds.values()))[0]
    carried = {tag.id for tag in item.tags}
    match kind:
        case "tag":
            number = 1 if hot else rng.choice(sorted(TAGS))
            items[key] = replace(item, tags=_shown(carried ^ {number}, tags))
            name = "untag" if number in carried else "tag"
            return [(for_source(sql[name], source), (source.code, item.id, number))]
        case "remove":
            # Removed and made anew under another id, so that the gallery keeps its size.
            fresh = replace(item, id=max(i for s, i in items if s == source.code) + 1, created_at=moment)
            fresh = replace(fresh, external_id=f"x{fresh.id}")
            del items[key]
            items[source.code, fresh.id] = fresh
            return [(for_source(sql["remove"], source), (item.id,)), *_added(fresh)]
        case "rename":
            number = rng.choice(sorted(tags))
            tags[number] = f"tag {number:02} {rng.randrange(1000)}"
            for other, each in items.items():
                if any(tag.id == number for tag in each.tags):
                    items[other] = replace(each, tags=_shown([tag.id for tag in each.tags], tags))
            return [(sql["rename"], (number, tags[number]))]
        case _:
            choices: dict[str, dict[str, Any]] = {
                "hide": {"is_private": not item.is_private},
                "title": {"title": rng.choice(_TITLES)},
                "score": {"quality_score": rng.choice((None, rng.random(), 1.0))},
            }
            items[key] = now = replace(item, **choices[kind], updated_at=moment)
            values = (now.id, now.title, now.is_private, now.quality_score, now.updated_at)
            return [(for_source(sql["change"], source), values)]


def expected(query: GalleryQuery, items: Items, tags: Mapping[int, str], codec: CursorCodec) -> bytes:
    """The digest of the body that the oracle would write."""

    def vocabulary(ref: Ref) -> Formula:
        return Term("tag", ref) if isinstance(ref, int) and ref in tags else f.NOTHING

    formula = to_formula(query, vocabulary)
    said = answer(
        formula, items.values(), query.sort_field, query.sort_order, page=query.page, page_size=query.page_size
    )

    def cursor(side: Any, item: Item) -> str:
        value, item_id, source = position(item, query.sort_field)
        return codec.encode(Cursor(side, value, item_id, source), formula, query.sort_field, query.sort_order)

    page = Page(
        items=tuple(said.items),
        total_count=said.total,
        total_kind="exact",
        page=query.page,
        page_size=query.page_size,
        has_next=said.has_next,
        has_previous=said.has_previous,
        next_cursor=cursor("after", said.items[-1]) if said.items and said.has_next else None,
        prev_cursor=cursor("before", said.items[0]) if said.items and said.has_previous else None,
        engine="",
        as_of=datetime.now(UTC),
    )
    return write_body(page)[1]


def _shown(numbers: Any, names: Mapping[int, str]) -> tuple[Tag, ...]:
    return tuple(sorted((Tag(number, names[number]) for number in numbers), key=lambda tag: tag.name))


def _added(item: Item) -> Change:
    sql = load("cache_check", "pinakes.bench.sql")
    source = next(s for s in SOURCES if s.code == item.source)
    row = (
        item.id, item.external_id, item.title, item.creator_id, item.is_private, item.quality_score,
        item.created_at, item.updated_at,
    )  # fmt: skip
    taggings = [(for_source(sql["tag"], source), (source.code, item.id, tag.id)) for tag in item.tags]
    return [(for_source(sql["add"], source), row), *taggings]
