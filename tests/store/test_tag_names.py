"""Aliases, hierarchy and administration of tags on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
import io

import pytest

from galleries import TAGS, Gallery, store
from pinakes.errors import Conflict, InvalidContent, NotFound, PinakesError
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page
from pinakes.query.sources import SOURCE_BY_NAME, SOURCES
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store import aliases, content, hierarchy, tag_admin, tag_csv, vocabulary
from pinakes.store.content import Author, Change, Draft
from pinakes.store.pool import Pool
from read_models import drain

REGULAR, AUTO = SOURCE_BY_NAME["regular"], SOURCE_BY_NAME["auto"]
ADA, BEN = Author(1), Author(2)


@pytest.fixture
async def service(pool: Pool, settings: Settings) -> ContentService:
    await store(pool, Gallery(()))
    return ContentService(pool, settings)


async def _items(pool: Pool, *tagged: tuple[str, ...], private: bool = False, author: Author = ADA) -> list[int]:
    async with pool.acquire() as conn:
        return [
            (await content.create(conn, REGULAR, Draft(title="x", tags=tags, is_private=private), author)).id
            for tags in tagged
        ]


async def _ask(service: ContentService, q: str, viewer: int | None = None, **more: object) -> Page:
    """The page, with the warnings about names only."""
    page = await service.get_unified_content_paginated(GalleryQuery(q=q, viewer=viewer, **more))  # type: ignore[arg-type]
    return dataclasses.replace(page, warnings=tuple(each for each in page.warnings if not each.startswith("engine")))


async def _id(pool: Pool, name: str) -> int:
    async with pool.acquire() as conn:
        return await aliases.tag_id(conn, name)


async def test_an_alias_is_its_tag_for_readers_and_says_so(service: ContentService, pool: Pool) -> None:
    await _items(pool, ("sunset",), ("castle",))
    async with pool.acquire() as conn:
        assert await aliases.put(conn, {"dusk": "sunset"}) == 1
        assert await aliases.put(conn, {"dusk": "sunset"}) == 0
    for query in (GalleryQuery(q="dusk"), GalleryQuery(tags_all=("dusk",)), GalleryQuery(q="tag:Dusk")):
        page = await service.get_unified_content_paginated(query)
        assert page.total_count == 1
        assert page.warnings[0].endswith("is an alias of 'sunset'")
    assert (await _ask(service, "-dusk")).total_count == 1


async def test_an_alias_of_what_the_caller_cannot_know_is_unknown(service: ContentService, pool: Pool) -> None:
    await _items(pool, ("sunset",), private=True)
    async with pool.acquire() as conn:
        await aliases.put(conn, {"dusk": "sunset"})
    assert (await _ask(service, "tag:dusk")).warnings == ("unknown tag 'dusk' matches nothing",)
    assert (await _ask(service, "tag:dusk", viewer=1)).total_count == 1


async def test_chains_lead_to_the_tag_in_whatever_order_they_come(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await aliases.put(conn, {"a": "b", "c": "sunset", "b": "c"})
        await aliases.put(conn, {"d": "a"})
        assert await aliases.listed(conn, limit=9) == [(name, "sunset") for name in "abcd"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"a": "b", "b": "c", "c": "a"}, "a → b → c → a"),
        ({"a": "a"}, "a → a"),
        ({"sunset": "a", "a": "sunset"}, "sunset → a → sunset"),
    ],
)
async def test_circles_of_aliases_are_refused_by_name(
    service: ContentService, pool: Pool, given: dict[str, str], path: str
) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(Conflict, match=path):
            await aliases.put(conn, given)


async def test_a_tag_of_its_own_becomes_no_alias_and_a_target_must_exist(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(Conflict, match="a tag of its own"):
            await aliases.put(conn, {"castle": "sunset"})
        with pytest.raises(NotFound, match="nowhere"):
            await aliases.put(conn, {"x": "nowhere"})


async def test_writers_may_name_a_tag_by_its_alias(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await aliases.put(conn, {"dusk": "sunset"})
        item = await content.create(conn, REGULAR, Draft(title="x", tags=("dusk", "sunset", "castle")), ADA)
        assert [tag.name for tag in item.tags] == ["castle", "sunset"]
        _, changed = await content.update(conn, REGULAR, item.id, Change(tags=("dusk", "castle")), ADA, None)
        assert changed == item
        _, changed = await content.update(conn, REGULAR, item.id, Change(tags_remove=("dusk",)), ADA, None)
        assert [tag.name for tag in changed.tags] == ["castle"]
        assert not await conn.fetchval("SELECT EXISTS (SELECT FROM tags WHERE name = 'dusk')")


async def test_a_tag_finds_what_is_below_it(service: ContentService, pool: Pool) -> None:
    await _items(pool, ("sunset",), ("castle",), ("watercolor",), ("sunset", "watercolor"))
    async with pool.acquire() as conn:
        await hierarchy.put(conn, [("castle", "unused"), ("watercolor", "castle")])
    assert (await _ask(service, "unused")).total_count == 3
    assert (await _ask(service, "castle")).total_count == 3
    assert (await _ask(service, "-castle")).total_count == 1
    assert (await _ask(service, "castle", descendants=False)).total_count == 1
    assert (await _ask(service, "cas*")).total_count == 3
    assert (await _ask(service, "", tags_all=("castle",))).total_count == 1
    assert (await _ask(service, "", tags_all=("castle",), descendants=True)).total_count == 3
    assert (await _ask(service, "", tags_all=(2,), descendants=True)).total_count == 3
    assert not (await _ask(service, "unused")).warnings
    assert (await _ask(service, "tag:unused", descendants=False)).warnings


async def test_what_is_below_a_tag_shows_only_to_those_who_see_it(service: ContentService, pool: Pool) -> None:
    await _items(pool, ("castle",), private=True)
    async with pool.acquire() as conn:
        await hierarchy.put(conn, [("castle", "unused")])
    assert (await _ask(service, "tag:unused")).warnings == ("unknown tag 'unused' matches nothing",)
    assert (await _ask(service, "tag:unused", viewer=1)).total_count == 1


async def test_a_pattern_of_too_many_tags_takes_the_most_used_and_says_so(
    service: ContentService, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "MAX_MATCHES", 2)
    await _items(pool, ("sunset",), ("castle",), ("castle",), ("watercolor",), ("watercolor",))
    await _items(pool, *[("sunset",)] * 5, private=True, author=BEN)
    page = await _ask(service, "*s*", descendants=False)
    assert (page.total_count, page.warnings[:1]) == (3, ())
    page = await _ask(service, "*t*")
    assert page.total_count == 4
    assert page.warnings[0] == "'*t*' stands for 3 tags; the 2 most used were taken"
    assert (await _ask(service, "*t*", viewer=2)).total_count == 8


async def test_by_takes_the_exact_name_or_else_all_with_its_words(service: ContentService, pool: Pool) -> None:
    names = {11: "Turner, J. M. W.", 12: "after Turner", 13: "turner"}
    async with pool.acquire() as conn:
        await conn.executemany("INSERT INTO users (id, username) VALUES ($1, $2)", names.items())
    for user in (11, 12):
        await _items(pool, (), author=Author(user))
    page = await _ask(service, "by:turner")
    assert page.total_count == 2
    assert page.warnings[0] == "by:'turner' stands for 'Turner, J. M. W.', 'after Turner'"
    await _items(pool, (), private=True, author=Author(13))
    assert (await _ask(service, "by:turner")).total_count == 2
    mine = await _ask(service, "by:turner", viewer=13)
    assert (mine.total_count, mine.warnings[:1]) == (1, ())
    assert (await _ask(service, "by:nobody_here")).warnings[0] == "unknown user 'nobody_here' matches nothing"


async def test_circles_of_the_hierarchy_are_refused_with_the_way_round(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await hierarchy.put(conn, [("sunset", "castle"), ("castle", "watercolor")])
        with pytest.raises(Conflict, match=r"(?=.*sunset)(?=.*castle)(?=.*watercolor).* → "):
            await hierarchy.put(conn, [("watercolor", "sunset")])
        with pytest.raises(Conflict, match="castle → castle"):
            await hierarchy.put(conn, [("castle", "castle")])
        assert await hierarchy.listed(conn, limit=9) == [("castle", "watercolor"), ("sunset", "castle")]
        assert await hierarchy.remove(conn, "castle", "watercolor") == 1
        await hierarchy.put(conn, [("watercolor", "sunset")])


async def test_a_thousand_diamonds_are_checked_at_once(service: ContentService, pool: Pool) -> None:
    """Ways through the hierarchy are far more than its steps; asking for a circle must not try them all."""
    async with pool.acquire() as conn:
        names = [f"level {n} {side}" for n in range(40) for side in "abc"]
        await conn.execute("INSERT INTO tags (name) SELECT unnest($1::text[])", names)
        steps = [(f"level {n} {x}", f"level {n + 1} {y}") for n in range(39) for x in "abc" for y in "abc"]
        assert await hierarchy.put(conn, steps) == len(steps)


async def test_two_writers_cannot_close_a_circle_together(service: ContentService, pool: Pool) -> None:
    async def put(child: str, parent: str) -> str:
        async with pool.acquire() as conn:
            try:
                await hierarchy.put(conn, [(child, parent)])
            except PinakesError as error:
                return type(error).__name__
        return "done"

    for _ in range(10):
        done = await asyncio.gather(put("sunset", "castle"), put("castle", "sunset"))
        assert sorted(done) == ["Conflict", "done"]
        await pool.execute("DELETE FROM tag_parents")


async def test_changes_of_names_reach_the_next_epoch(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("DELETE FROM dirty; DELETE FROM dirty_marks")
        for change in (
            aliases.put(conn, {"dusk": "sunset"}),
            aliases.remove(conn, ["dusk"]),
            hierarchy.put(conn, [("sunset", "castle")]),
            hierarchy.remove(conn, "sunset", "castle"),
        ):
            await change
            assert [epoch.terms for epoch in await drain(conn)] == [("vocabulary",)]


async def test_renaming_keeps_items_and_may_keep_the_name(service: ContentService, pool: Pool) -> None:
    await _items(pool, ("sunset",))
    async with pool.acquire() as conn:
        await aliases.put(conn, {"dusk": "sunset"})
        tag = await tag_admin.rename(conn, 1, "evening", keep_alias=True)
        assert (tag.id, tag.name) == (1, "evening")
        assert await aliases.listed(conn, limit=9) == [("dusk", "evening"), ("sunset", "evening")]
        assert (await tag_admin.rename(conn, 1, "dusk")).name == "dusk"
        assert await aliases.listed(conn, limit=9) == [("sunset", "dusk")]
        with pytest.raises(Conflict, match="already"):
            await tag_admin.rename(conn, 1, "castle")
        await aliases.put(conn, {"keep": "castle"})
        with pytest.raises(Conflict, match="alias of 'castle'"):
            await tag_admin.rename(conn, 1, "keep")
        with pytest.raises(InvalidContent):
            await tag_admin.rename(conn, 1, " \n ")
        assert (await tag_admin.categorize(conn, 1, "time")).category == "time"
    assert (await _ask(service, "sunset")).total_count == 1


async def test_merging_moves_everything_and_leaves_an_alias(service: ContentService, pool: Pool) -> None:
    await _items(pool, *[("sunset",)] * 7, ("sunset", "castle"), ("castle",))
    async with pool.acquire() as conn:
        await content.create(conn, AUTO, Draft(title="x", tags=("sunset",)), BEN)
        await aliases.put(conn, {"dusk": "sunset"})
        await hierarchy.put(conn, [("sunset", "unused"), ("watercolor", "sunset"), ("castle", "watercolor")])
    told: list[int] = []
    merged = await tag_admin.merge(pool, 1, 2, batch=3, told=told.append)
    assert (merged.into.name, merged.taggings, merged.steps_left_out) == ("castle", 9, 1)
    assert told == [3, 6, 8, 9]
    async with pool.acquire() as conn:
        assert await aliases.listed(conn, limit=9) == [("dusk", "castle"), ("sunset", "castle")]
        assert await hierarchy.listed(conn, limit=9) == [("castle", "unused"), ("castle", "watercolor")]
        counted = await conn.fetch(
            "SELECT tag_id, sum(n) AS n FROM (SELECT tag_id, item_count AS n FROM tag_counts"
            " UNION ALL SELECT tag_id, delta FROM tag_count_deltas) AS c GROUP BY tag_id"
        )
        assert {row["tag_id"]: row["n"] for row in counted if row["n"]} == {2: 10}
    assert (await _ask(service, "sunset")).total_count == 10


async def test_a_merge_that_was_cut_off_is_finished_by_asking_again(service: ContentService, pool: Pool) -> None:
    await _items(pool, *[("sunset",)] * 5)

    def enough(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await tag_admin.merge(pool, 1, 2, batch=2, told=enough)
    assert (await _ask(service, "sunset or castle")).total_count == 5
    assert (await tag_admin.merge(pool, 1, 2, batch=2)).taggings == 3
    assert (await _ask(service, "castle")).total_count == 5


async def test_a_merge_keeps_nobody_from_reading_and_no_writer_from_writing(
    service: ContentService, pool: Pool
) -> None:
    await _items(pool, *[("sunset",)] * 40)
    merging = asyncio.create_task(tag_admin.merge(pool, 1, 2, batch=1))
    seen = 0
    while not merging.done():
        page = await _ask(service, "~sunset ~castle")
        assert page.total_count == 40 + seen
        await _items(pool, ("sunset",))
        seen += 1
    await merging
    assert seen > 1
    page = await _ask(service, "castle")
    assert page.total_count == 40 + seen


async def test_a_merge_meets_a_writer_who_holds_no_item(service: ContentService, pool: Pool) -> None:
    """He gives an item the other tag while its batch is under way: the merge waits for him, and sees it then."""
    ids = await _items(pool, *[("sunset",)] * 3)
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("INSERT INTO content_tags (source_type, content_id, tag_id) VALUES (1, $1, 2)", ids[1])
        merging = asyncio.create_task(tag_admin.merge(pool, 1, 2))
        while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not merging.done()
        await transaction.commit()
    assert (await merging).taggings == 3
    assert (await _ask(service, "castle")).total_count == 3


async def test_deleting_needs_to_be_told_about_taggings(service: ContentService, pool: Pool) -> None:
    ids = await _items(pool, ("sunset", "castle"), ("sunset",))
    with pytest.raises(Conflict):
        await tag_admin.delete(pool, 1)
    assert await tag_admin.delete(pool, 1, taggings=True, batch=1) == 2
    assert await tag_admin.delete(pool, 6) == 0
    with pytest.raises(NotFound):
        await tag_admin.delete(pool, 6)
    async with pool.acquire() as conn:
        assert [tag.name for tag in (await content.read(conn, REGULAR, ids[0], 1)).tags] == ["castle"]


async def test_an_export_imported_changes_nothing(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await aliases.put(conn, {"dusk": "sunset", 'a "b", c': "castle"})
        await hierarchy.put(conn, [("sunset", "unused"), ("castle", "unused")])
        for table in tag_csv.TABLES:
            out = io.StringIO()
            assert await tag_csv.write(conn, table, out) == {"tags": len(TAGS), "aliases": 2, "parents": 2}[table]
            assert await tag_csv.read(conn, io.StringIO(out.getvalue())) == (table, 0)


async def test_imports_happen_as_a_whole_and_name_the_line(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        text = "name,category\nnew tag,medium\nsunset,time\n"
        assert await tag_csv.read(conn, io.StringIO(text)) == ("tags", 2)
        assert await tag_csv.read(conn, io.StringIO("alias,tag\nx,y\ny,new tag\n")) == ("aliases", 2)
        assert await tag_csv.read(conn, io.StringIO("child,parent\nnew tag,sunset\n")) == ("parents", 1)
        for wrong, said in (
            ("what,ever\n", "first line"),
            ("alias,tag\na,b,c\n", "Line 2"),
            ('alias,tag\n"a,b\n', "cannot be read"),
            ("alias,tag\na,b\nb,a\n", "a → b → a"),
            ("child,parent\nsunset,new tag\n", "sunset"),
            ("name,category\nx,\n", "alias of"),
            ("", "first line"),
        ):
            with pytest.raises(PinakesError, match=said):
                await tag_csv.read(conn, io.StringIO(wrong))


async def test_endings_of_names_follow_every_change(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await aliases.put(conn, {"early dusk": "sunset"})
        await tag_admin.rename(conn, 5, "Storm over Sea")
        rows = await conn.fetch("SELECT ending, alias FROM tag_endings WHERE tag_id = ANY ('{1, 5}') ORDER BY 1, 2")
        assert [tuple(row) for row in rows] == [
            ("dusk", "early dusk"),
            ("early dusk", "early dusk"),
            ("over sea", ""),
            ("sea", ""),
            ("storm over sea", ""),
            ("sunset", ""),
        ]
        await aliases.remove(conn, ["early dusk"])
        await conn.execute("DELETE FROM tags WHERE id = 5")
        assert await conn.fetchval("SELECT count(*) FROM tag_endings WHERE tag_id = ANY ('{1, 5}')") == 1


async def test_endings_go_with_their_tags(service: ContentService, pool: Pool) -> None:
    """However these go, and processes that hold names are told."""
    async with pool.acquire() as conn:
        await aliases.put(conn, {"early dusk": "sunset"})
        await conn.execute("DELETE FROM tag_name_changes")
        await conn.execute("DELETE FROM content_tags")
        await conn.execute("DELETE FROM tags WHERE name = 'sunset'")
        orphans = "SELECT count(*) FROM tag_endings WHERE tag_id NOT IN (SELECT id FROM tags)"
        assert await conn.fetchval(orphans) == 0
        assert await conn.fetchval("SELECT count(*) FROM tag_endings") > 0
        assert await conn.fetchval("SELECT DISTINCT tag_id FROM tag_name_changes") == 1
        await conn.execute("TRUNCATE tags CASCADE")
        assert await conn.fetchval("SELECT count(*) FROM tag_endings") == 0


async def test_no_name_has_an_ending_twice(pool: Pool) -> None:
    """So they are stored without looking; what is said of names as long as allowed and of repeated words."""
    names = ["a a a", "a-a a", "é" * 255, "x " * 127 + "x", "- -", "of of the of the", "İ i"]
    async with pool.acquire() as conn:
        await conn.executemany("INSERT INTO tags (name) VALUES ($1)", [(name,) for name in names])
        twice = (
            "SELECT name FROM tags CROSS JOIN pinakes_endings(name) AS ending GROUP BY id, ending HAVING count(*) > 1"
        )
        assert await conn.fetch(twice) == []


async def test_imports_of_items_follow_aliases(service: ContentService, pool: Pool) -> None:
    from pinakes.store.bulk import BulkLoad

    async with pool.acquire() as conn:
        await aliases.put(conn, {"dusk": "sunset"})
    async with BulkLoad(pool, expected=1) as load:
        assert (await load.tags(["dusk", "sunset", "brand new"])).tolist()[:2] == [1, 1]
    assert len(SOURCES) == 2
