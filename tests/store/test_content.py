"""Items read by their keys and written one at a time, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from pinakes.errors import Conflict, Forbidden, InvalidContent, NotFound, StaleVersion
from pinakes.query.item import Item
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.store import content, tags, users
from pinakes.store.content import Author, Change, Draft, etag
from pinakes.store.limits import MAX_TAGS
from pinakes.store.pool import Connection, Pool

ADA, BEN, ADMIN = Author(1), Author(2), Author(3, admin=True)
REGULAR, AUTO = SOURCE_BY_NAME["regular"], SOURCE_BY_NAME["auto"]


@pytest_asyncio.fixture
async def conn(pool: Pool) -> Any:
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO users (id, username) VALUES (1, 'ada'), (2, 'ben'), (3, 'root')")
        await connection.execute("ALTER TABLE users ALTER COLUMN id RESTART WITH 10")
        yield connection


async def make(conn: Connection, author: Author = ADA, **fields: Any) -> Item:
    return await content.create(conn, REGULAR, Draft(**{"title": "An item", **fields}), author)


async def change(
    conn: Connection, item: Item, author: Author = ADA, if_match: str | None = None, **fields: Any
) -> Item:
    _, changed = await content.update(conn, REGULAR, item.id, Change(**fields), author, if_match)
    return changed


def names(item: Item) -> list[str]:
    return [tag.name for tag in item.tags]


async def counted(conn: Connection) -> dict[str, int]:
    rows = await conn.fetch(
        "SELECT name, sum(n)::int AS n FROM (SELECT tag_id, item_count AS n FROM tag_counts"
        " UNION ALL SELECT tag_id, delta FROM tag_count_deltas) AS c JOIN tags ON tags.id = tag_id GROUP BY name"
    )
    return {row["name"]: row["n"] for row in rows if row["n"]}


EVERYTHING: dict[str, Any] = {
    "title": "Ünï 50% _ 'quoted' \u2028 🎨",
    "content_type": "video/mp4",
    "content_data": "data",
    "path_thumb": "/t/1.webp",
    "path_thumbs_alt_res": {"200": "/t/1-200.webp"},
    "prompt": "a prompt\nof two lines",
    "item_metadata": {"a": [1, 2.5, None, True, {"b": "c"}], "ü": ""},
    "is_private": True,
    "quality_score": 0.1 + 0.2,
    "external_id": "ext:1",
    "created_at": datetime(1545, 3, 1, 12, 30, 0, 123456, tzinfo=UTC),
}


async def test_everything_given_is_stored_and_read_back(conn: Connection) -> None:
    item = await make(conn, **EVERYTHING, tags=["b", "a"])
    assert {name: getattr(item, name) for name in EVERYTHING} == EVERYTHING
    assert (item.creator_id, item.creator_username, names(item)) == (1, "ada", ["a", "b"])
    assert await content.read(conn, REGULAR, item.id, viewer=1) == item


async def test_what_is_not_given_takes_its_default(conn: Connection) -> None:
    item = await make(conn)
    assert (item.content_type, item.is_private, item.quality_score, item.tags) == ("image", False, None, ())
    assert item.external_id
    assert item.created_at == item.updated_at


@pytest.mark.parametrize("score", [0.0, 5e-324, 1.7976931348623157e308, -2.5, 0.1])
async def test_scores_keep_every_digit(conn: Connection, score: float) -> None:
    assert (await make(conn, quality_score=score)).quality_score == score


async def test_hydrate_keeps_the_order_of_keys_of_both_sources(conn: Connection) -> None:
    """The same id in two tables is two items with tags of their own."""
    first, second = await make(conn, tags=["z", "Y", "É", "a"]), await make(conn)
    auto = await content.create(conn, AUTO, Draft(title="auto", tags=("only auto",)), BEN)
    assert auto.id == first.id
    keys = [(2, auto.id), (1, second.id), (1, 999), (7, 1), (1, first.id), (2, auto.id)]
    assert await content.hydrate(conn, keys) == [auto, second, first, auto]
    assert names(first) == ["Y", "a", "z", "É"]
    assert names(auto) == ["only auto"]
    assert await content.hydrate(conn, []) == []
    assert await content.hydrate(conn, [(7, 1)]) == []


async def test_private_items_are_there_for_their_creator_only(conn: Connection) -> None:
    item = await make(conn, is_private=True)
    assert await content.read(conn, REGULAR, item.id, viewer=1) == item
    for viewer in (None, 2):
        with pytest.raises(NotFound):
            await content.read(conn, REGULAR, item.id, viewer)


@pytest.mark.parametrize("item_id", [0, -1, 999, 2**63 - 1, 2**63, -(2**63) - 1])
async def test_an_id_without_an_item_is_not_found(conn: Connection, item_id: int) -> None:
    with pytest.raises(NotFound):
        await content.read(conn, REGULAR, item_id, viewer=1)
    with pytest.raises(NotFound):
        await content.delete(conn, REGULAR, item_id, ADMIN, None)


async def test_tags_are_replaced_added_and_removed(conn: Connection) -> None:
    item = await make(conn, tags=[" castle ", "sunset", "castle"])
    assert names(item) == ["castle", "sunset"]
    item = await change(conn, item, tags_add=["moon", "castle"], tags_remove=["sunset", "never seen"])
    assert names(item) == ["castle", "moon"]
    item = await change(conn, item, tags=["river", "moon"])
    assert names(item) == ["moon", "river"]
    assert await counted(conn) == {"moon": 1, "river": 1}
    item = await change(conn, item, tags=[])
    assert names(item) == []
    assert await conn.fetchval("SELECT count(*) FROM tags WHERE name = 'never seen'") == 0


async def test_an_existing_tag_keeps_its_number_and_uses_up_none(conn: Connection) -> None:
    first = await make(conn, tags=["a"])
    for _ in range(3):
        assert (await make(conn, tags=["a"])).tags == first.tags
    assert await tags.ensure(conn, ["b"]) == {"b": first.tags[0].id + 1}


async def test_a_change_touches_only_what_it_names(conn: Connection) -> None:
    before = await make(conn, **EVERYTHING, tags=["a"])
    # A number beyond any float, as another program may have stored it.
    await conn.execute("UPDATE content_items SET item_metadata = '{\"n\": 1.00000000000000000000000001}'")
    after = await change(conn, before, title="New", prompt=None)
    assert (after.title, after.prompt, after.tags, after.external_id) == ("New", None, before.tags, "ext:1")
    stored = await conn.fetchval("SELECT item_metadata::text FROM content_items")
    assert stored == '{"n": 1.00000000000000000000000001}'


async def test_updated_at_only_grows(conn: Connection) -> None:
    """Also where the clock is behind the item."""
    item = await make(conn)
    later = datetime.now(UTC) + timedelta(days=1)
    await conn.execute("UPDATE content_items SET updated_at = $1", later)
    first = await change(conn, item, title="one")
    second = await change(conn, item, title="two")
    assert later < first.updated_at < second.updated_at
    assert first.created_at == item.created_at


async def test_a_change_of_nothing_is_no_new_version(conn: Connection) -> None:
    item = await make(conn, tags=["a"])
    assert await change(conn, item) == item
    assert await change(conn, item, tags=["a"], updated_at=item.updated_at) == item
    assert await change(conn, item, tags_add=["a"], tags_remove=["b"]) == item


async def test_a_stale_version_is_refused_and_a_current_one_taken(conn: Connection) -> None:
    read = await make(conn, tags=["a"])
    changed = await change(conn, read, if_match=etag(read), tags_add=["b"])
    for stale in ({"if_match": etag(read)}, {"updated_at": read.updated_at}, {"if_match": f"W/{etag(changed)}"}):
        with pytest.raises(StaleVersion):
            await change(conn, read, title="x", **stale)
    with pytest.raises(StaleVersion):
        await content.delete(conn, REGULAR, read.id, ADA, etag(read))
    changed = await change(conn, read, title="x", updated_at=changed.updated_at)
    changed = await change(conn, read, title="y", if_match=f'"other", {etag(changed)}')
    await change(conn, read, title="z", if_match="*")
    assert await conn.fetchval("SELECT title FROM content_items") == "z"


async def test_an_etag_changes_with_everything_shown(conn: Connection) -> None:
    item = await make(conn, tags=["a"])
    seen = {etag(item)}
    for sql in (
        "UPDATE content_items SET prompt = 'p'",
        "UPDATE tags SET name = 'b'",
        "UPDATE tags SET category = 'c'",
        "UPDATE users SET username = 'adele' WHERE id = 1",
        "DELETE FROM content_tags",
    ):
        await conn.execute(sql)
        seen.add(etag(await content.read(conn, REGULAR, item.id, 1)))
    assert len(seen) == 6


async def test_of_two_changes_to_one_version_one_is_refused(pool: Pool, conn: Connection) -> None:
    item = await make(conn, tags=["a"])

    async def attempt(title: str) -> str:
        async with pool.acquire() as own:
            try:
                _, done = await content.update(
                    own, REGULAR, item.id, Change(title=title, tags_add=(title,)), ADA, etag(item)
                )
            except StaleVersion:
                return "stale"
            return done.title

    outcomes = await asyncio.gather(*(attempt(f"t{n}") for n in range(6)))
    assert sorted(outcomes)[:5] == ["stale"] * 5
    final = await content.read(conn, REGULAR, item.id, 1)
    assert final.title in outcomes
    assert names(final) == ["a", final.title]


async def test_writers_of_the_same_new_tags_do_not_deadlock(pool: Pool, conn: Connection) -> None:
    items = [await make(conn, title=str(n)) for n in range(6)]

    async def write(item: Item, order: Callable[[list[str]], list[str]]) -> None:
        async with pool.acquire() as own:
            for round_ in range(5):
                wanted = tuple(order([f"{round_}-{n}" for n in range(40)]))
                await content.update(own, REGULAR, item.id, Change(tags=wanted), ADA, None)

    await asyncio.gather(
        *(write(item, (lambda x: x) if n % 2 else (lambda x: x[::-1])) for n, item in enumerate(items))
    )
    assert await counted(conn) == {f"4-{n}": 6 for n in range(40)}


async def test_somebody_elses_items(conn: Connection) -> None:
    public, private = await make(conn), await make(conn, is_private=True)
    for item, error in ((public, Forbidden), (private, NotFound)):
        with pytest.raises(error):
            await change(conn, item, BEN, title="mine now")
        with pytest.raises(error):
            await content.delete(conn, REGULAR, item.id, BEN, None)
        assert (await change(conn, item, ADMIN, title="in order")).title == "in order"
    await content.delete(conn, REGULAR, private.id, ADMIN, None)


async def test_a_refused_change_leaves_nothing_behind(conn: Connection) -> None:
    item = await make(conn)
    with pytest.raises(Forbidden):
        await change(conn, item, BEN, tags=["brand new"])
    with pytest.raises(StaleVersion):
        await change(conn, item, if_match='"x"', tags=["brand new"])
    assert await conn.fetchval("SELECT count(*) FROM tags") == 0


async def test_only_an_administrator_names_another_creator(conn: Connection) -> None:
    with pytest.raises(Forbidden):
        await make(conn, creator_id=2)
    item = await make(conn, ADMIN, creator_id=2)
    assert item.creator_username == "ben"
    with pytest.raises(Forbidden):
        await change(conn, item, BEN, creator_id=1)
    assert (await change(conn, item, ADMIN, creator_id=1)).creator_username == "ada"
    with pytest.raises(InvalidContent) as refused:
        await make(conn, ADMIN, creator_id=99)
    assert refused.value.extra["field"] == "creator_id"
    with pytest.raises(InvalidContent):
        await change(conn, item, ADMIN, creator_id=99)
    with pytest.raises(Forbidden, match="does not exist"):
        await make(conn, Author(99))


async def test_an_external_id_is_taken_once_a_source(conn: Connection) -> None:
    await make(conn, external_id="x")
    with pytest.raises(Conflict):
        await make(conn, external_id="x")
    other = await make(conn, external_id="y")
    with pytest.raises(Conflict):
        await change(conn, other, external_id="x")
    assert (await content.create(conn, AUTO, Draft(title="t", external_id="x"), ADA)).external_id == "x"


async def test_deleting_takes_the_taggings_along_and_counts_them(conn: Connection) -> None:
    item, other = await make(conn, tags=["a", "b"]), await make(conn, tags=["a"])
    await content.delete(conn, REGULAR, item.id, ADA, etag(item))
    assert await counted(conn) == {"a": 1}
    assert await conn.fetchval("SELECT count(*) FROM content_tags") == 1
    with pytest.raises(NotFound):
        await content.delete(conn, REGULAR, item.id, ADA, None)
    assert await content.read(conn, REGULAR, other.id, None) == other


async def test_an_item_carries_a_thousand_tags_and_no_more(conn: Connection) -> None:
    item = await make(conn, tags=[f"t{n:04}" for n in range(MAX_TAGS)])
    assert len(item.tags) == MAX_TAGS
    with pytest.raises(InvalidContent) as refused:
        await change(conn, item, tags_add=["one more"])
    assert refused.value.extra["field"] == "tags"
    assert len((await change(conn, item, tags_add=["one more"], tags_remove=["t0000"])).tags) == MAX_TAGS


async def test_the_longest_values_allowed_can_be_stored(conn: Connection) -> None:
    title = "".join(chr(0x10000 + n * 7919 % 0x3FFFF) for n in range(650))
    longest = Draft(
        title=title,
        external_id="🎨" * 255,
        content_type="a" * 64,
        content_data="x" * 1_000_000,
        path_thumb="🎨" * 2000,
        prompt=(title * 40)[:20_000],
        tags=("🎨" * 255,),
        created_at=datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC),
    )
    item = await content.create(conn, REGULAR, longest, ADA)
    assert (item.title, item.prompt, len(item.tags[0].name)) == (longest.title, longest.prompt, 255)


async def test_tags_of_private_items_only_are_shown_to_their_creator_only(conn: Connection) -> None:
    await make(conn, is_private=True, tags=["castle", "secret"])
    await make(conn, tags=["castle", "Castle", "cat_", "cat%"])
    found, more = await tags.visible(conn, None, limit=10)
    assert ([tag.name for tag in found], more) == (["castle", "cat_", "cat%"], False)
    found, more = await tags.visible(conn, 1, prefix="", limit=10)
    assert ([tag.name for tag in found], more) == (["castle", "cat_", "cat%", "secret"], False)
    found, more = await tags.visible(conn, 2, prefix="Ca", after="CASTLE", limit=1)
    assert ([tag.name for tag in found], more) == (["cat_"], True)
    assert (await tags.visible(conn, 2, prefix="cat_", limit=9))[0][0].name == "cat_"
    secret = await conn.fetchval("SELECT id FROM tags WHERE name = 'secret'")
    assert (await tags.read(conn, secret, 1)).name == "secret"
    for viewer in (None, 2):
        with pytest.raises(NotFound):
            await tags.read(conn, secret, viewer)


async def test_users_are_found_and_made_by_name(conn: Connection) -> None:
    assert await users.by_name(conn, "zoë") is None
    made = await users.ensure(conn, "zoë")
    assert made == await users.ensure(conn, "zoë") == await users.by_id(conn, made.id)
