"""One spelling a tag: a name means the tag that was there first, however it is written; older galleries are merged."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from import_files import ITEM, assert_counts_hold, counts, write
from pinakes.errors import Conflict, InvalidContent
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store import aliases, content, tag_admin, tags, users
from pinakes.store.content import Author, Change, Draft
from pinakes.store.migrate import migrate, revisions
from pinakes.store.migrate import told as told_of
from pinakes.store.pool import Pool
from pinakes.store.transfer.importer import import_file

REGULAR = SOURCE_BY_NAME["regular"]


@pytest.fixture
async def service(pool: Pool, settings: Settings) -> ContentService:
    async with pool.acquire() as conn:
        for name in ("ada", "Ben"):
            await users.ensure(conn, name)
    return ContentService(pool, settings)


async def _add(pool: Pool, *names: str, author: int = 1) -> Item:
    async with pool.acquire() as conn:
        return await content.create(conn, REGULAR, Draft(title="x", tags=names), Author(author))


async def _total(service: ContentService, **asked: object) -> int | None:
    return (await service.get_unified_content_paginated(GalleryQuery(**asked))).total_count  # type: ignore[arg-type]


async def test_one_writer_cannot_take_a_name_from_everybody(service: ContentService, pool: Pool) -> None:
    for _ in range(3):
        await _add(pool, "castle")
    theirs = await _add(pool, "Castle", author=2)
    assert [tag.name for tag in theirs.tags] == ["castle"]
    for spelled in ("castle", "Castle", "CASTLE", "ｃａｓｔｌｅ", "tag:cAsTlE", "c*", "C*E"):
        assert await _total(service, q=spelled) == 4, spelled
    for asked in ({"tags_all": ("CASTLE",)}, {"tags_any": ("Castle", "castle")}):
        assert await _total(service, **asked) == 4
    assert await _total(service, tags_none=("Castle",)) == 0


@pytest.mark.parametrize("name", ["Leute", "Wählen", "Alfons Mucha", "NaN", "İstanbul", "თბილისი", ":)", "ﾊﾝｶｸ", "½"])
async def test_a_name_is_found_in_any_spelling(service: ContentService, pool: Pool, name: str) -> None:
    await _add(pool, name)
    for spelled in (name, name.upper(), name.lower(), name.casefold(), name.replace(" ", "_")):
        assert await _total(service, q=f'tag:"{spelled}"') == 1, spelled
        assert await _total(service, tags_all=(spelled,)) == 1, spelled


async def test_an_item_carries_a_tag_once_and_loses_it_by_any_spelling(service: ContentService, pool: Pool) -> None:
    item = await _add(pool, "Blue Sky", "blue_sky", "BLUE SKY", "sea")
    assert [tag.name for tag in item.tags] == ["Blue Sky", "sea"]
    async with pool.acquire() as conn:

        async def change(**fields: object) -> list[str]:
            made = Change(**fields)  # type: ignore[arg-type]
            _, changed = await content.update(conn, REGULAR, item.id, made, Author(1), None)
            return [tag.name for tag in changed.tags]

        assert await change(tags_add=("SEA", "New")) == ["Blue Sky", "New", "sea"]
        assert await change(tags_remove=("blue_SKY", "new")) == ["sea"]
        assert await change(tags=("SEA", "ＢＬＵＥ_sky")) == ["Blue Sky", "sea"]
        with pytest.raises(InvalidContent, match="both added and removed"):
            await change(tags_add=("Sea",), tags_remove=("sea",))


async def test_an_import_takes_the_first_spelling(pool: Pool, tmp_path: Path) -> None:
    await _add_user(pool)
    lines = [
        ITEM | {"id": str(n), "tags": names}
        for n, names in enumerate((["Castle", "castle"], ["CASTLE", "Straße"], ["STRASSE", "blue_sky"], ["blue sky"]))
    ]
    file = write(tmp_path / "x.jsonl", lines)
    assert counts(await import_file(pool, file)) == (4, 0, 0, 0)
    assert await pool.fetchval("SELECT array_agg(name ORDER BY id) FROM tags") is not None
    assert set(await _names(pool)) == {"Castle", "Straße", "blue_sky"}
    assert await pool.fetchval("SELECT count(*) FROM content_tags") == 6
    assert counts(await import_file(pool, file)) == (0, 0, 4, 0)
    await assert_counts_hold(pool)


async def test_aliases_and_new_names_are_compared_likewise(pool: Pool) -> None:
    await _add_user(pool)
    await _add(pool, "castle", "sea")
    async with pool.acquire() as conn:
        number = await aliases.tag_id(conn, "Castle")
        assert await aliases.put(conn, {"Fort": "CASTLE", "FORT": "castle", "Castle": "castle"}) == 1
        assert await aliases.tag_id(conn, "fort") == number
        assert await tags.ensure(conn, ["fORT", "CASTLE"]) == {"fORT": number, "CASTLE": number}
        with pytest.raises(Conflict):
            await tag_admin.rename(conn, number, "SEA")
        with pytest.raises(Conflict):
            await aliases.put(conn, {"Sea": "castle"})
        with pytest.raises(Conflict, match="round in a circle"):
            await aliases.put(conn, {"a": "B", "b": "A"})
        assert (await tag_admin.rename(conn, number, "Castle")).name == "Castle"
        assert await aliases.remove(conn, ["FORT", "fort"]) == 1


async def test_by_takes_every_user_of_a_name(service: ContentService, pool: Pool) -> None:
    async with pool.acquire() as conn:
        other = await users.ensure(conn, "ADA")
    for author in (1, 1, other.id):
        await _add(pool, "x", author=author)
    for spelled in ("ada", "Ada", "ADA"):
        page = await service.get_unified_content_paginated(GalleryQuery(q=f"by:{spelled}"))
        assert page.total_count == 3
        assert any("stands for 'ADA', 'ada'" in each for each in page.warnings)


async def test_plain_sql_cannot_make_a_second_spelling(pool: Pool) -> None:
    await pool.execute("INSERT INTO tags (name) VALUES ('castle')")
    assert await pool.fetchval("SELECT key FROM tags") == "castle"
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute("INSERT INTO tags (name) VALUES ('Castle')")
    await pool.execute("INSERT INTO tags (name) VALUES ('Castle') ON CONFLICT DO NOTHING")
    assert await _names(pool) == ["castle"]


async def test_what_was_there_is_merged_and_told(pool: Pool, database_url: str) -> None:
    """Down and up again with items: taggings, counts, aliases, hierarchy, categories go with the first spelling."""
    await _add_user(pool)
    await migrate(database_url, "0011")
    await pool.execute(
        """
        INSERT INTO tags (id, name, category) OVERRIDING SYSTEM VALUE VALUES
            (101, 'castle', ''), (102, 'Castle', 'building'), (103, 'sea', ''), (104, 'CASTLE', 'x'),
            (105, E'line1\\nline2', ''), (106, 'a' || U&'\\200B', ''), (107, 'a', ''), (108, U&'\\200B', ''),
            (109, 'above', ''), (110, 'Above', '');
        INSERT INTO tag_aliases (name, tag_id) VALUES ('Sea', 101), ('Fort', 102), ('fort', 103), ('keep', 104);
        INSERT INTO tag_parents (child_id, parent_id) VALUES (102, 103), (104, 103), (109, 101), (102, 110);
        INSERT INTO content_items (id, title, creator_id) OVERRIDING SYSTEM VALUE
            SELECT n, 'x', 1 FROM generate_series(1, 4) AS n;
        INSERT INTO content_items_auto (id, title, creator_id) OVERRIDING SYSTEM VALUE VALUES (1, 'x', 1);
        INSERT INTO content_tags (source_type, content_id, tag_id) VALUES
            (1, 1, 101), (1, 1, 102), (1, 1, 104), (1, 2, 102), (1, 3, 104), (1, 4, 106), (2, 1, 102), (2, 1, 103);
        INSERT INTO users (username) VALUES (E'bob\\n'), ('bob');
        SELECT fold_tag_counts();
        """
    )
    assert await migrate(database_url) == [each for each in revisions() if each > "0011"]
    assert {row["id"]: row["name"] for row in await pool.fetch("SELECT id, name FROM tags")} == {
        101: "castle", 103: "sea", 105: "line1 line2", 106: "a", 108: "tag 108", 109: "above",
    }  # fmt: skip
    assert await pool.fetchval("SELECT category FROM tags WHERE id = 101") == "building"
    taggings = await pool.fetch("SELECT source_type, content_id, tag_id FROM content_tags ORDER BY 1, 2, 3")
    assert [tuple(row) for row in taggings] == [
        (1, 1, 101),
        (1, 2, 101),
        (1, 3, 101),
        (1, 4, 106),
        (2, 1, 101),
        (2, 1, 103),
    ]
    await pool.execute("SELECT fold_tag_counts()")
    await assert_counts_hold(pool)
    led = await pool.fetch("SELECT name, tag_id FROM tag_aliases ORDER BY 1")
    assert [tuple(row) for row in led] == [("Fort", 101), ("keep", 101)]
    steps = await pool.fetch("SELECT child_id, parent_id FROM tag_parents ORDER BY 1")
    assert [tuple(row) for row in steps] == [(101, 103), (109, 101)]
    number = await pool.fetchval("SELECT id FROM users WHERE username LIKE 'bob (%'")
    told = await pool.fetch("SELECT kind, before, after, items FROM name_merges ORDER BY kind, before")
    assert [tuple(row) for row in told] == [
        ("alias", "Sea", "castle", None),
        ("alias", "fort", "sea", None),
        ("parent", "Castle", "Above", None),
        ("tag", "Above", "above", None),
        ("tag", "CASTLE", "castle", 2),
        ("tag", "Castle", "castle", 3),
        ("tag", "a", "a", None),
        ("tag name", "a\u200b", "a", None),
        ("tag name", "line1\nline2", "line1 line2", None),
        ("tag name", "\u200b", "tag 108", None),
        ("user name", "bob\n", f"bob ({number})", None),
    ]  # fmt: skip
    lines = await told_of(database_url, "0012")
    assert "the tag 'Castle' is 'castle' now, with its 3 items" in lines
    assert len(lines) == 11
    endings = "SELECT ending FROM tags CROSS JOIN LATERAL pinakes_endings(tags.name) AS ending ORDER BY 1"
    assert await pool.fetch(endings) == await pool.fetch("SELECT ending FROM tag_endings WHERE alias = '' ORDER BY 1")


async def _names(pool: Pool) -> list[str]:
    return [row["name"] for row in await pool.fetch("SELECT name FROM tags ORDER BY id")]


async def _add_user(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await users.ensure(conn, "ada")
