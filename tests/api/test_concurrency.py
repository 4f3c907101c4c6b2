"""Writers who meet: nothing is lost, doubled or half done, whatever the order."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from api.application import ADA, BEN, Gallery, Tokens, assert_problem, running
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.store.tag_admin import merge

POST = "/api/v1/content/auto"


async def test_a_request_sent_again_with_its_key_makes_nothing_again(
    client: httpx.AsyncClient, pool: Pool, token: Tokens
) -> None:
    headers = {**token(ADA, "content:write"), "idempotency-key": "upload-17"}
    body = {"title": "once", "tags": ["new"]}
    first = await client.post(POST, json=body, headers=headers)
    again = await client.post(POST, json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.headers["location"] == again.headers["location"]
    assert first.json() == again.json()
    assert await pool.fetchval("SELECT count(*) FROM content_items_auto WHERE title = 'once'") == 1
    assert_problem(await client.post(POST, json={**body, "title": "other"}, headers=headers), 422, "PK205")
    assert_problem(await client.post("/api/v1/content/regular", json=body, headers=headers), 422, "PK205")
    theirs = await client.post(POST, json=body, headers={**headers, **token(BEN, "content:write")})
    assert theirs.headers["location"] != first.headers["location"]  # keys belong to their user
    await client.delete(first.headers["location"], headers=token(ADA, "content:write"))
    assert_problem(await client.post(POST, json=body, headers=headers), 404)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "é", "a b"])
async def test_what_is_no_key_is_refused(client: httpx.AsyncClient, token: Tokens, key: str) -> None:
    headers = httpx.Headers({**token(ADA, "content:write"), "idempotency-key": key}, encoding="utf-8")
    assert_problem(await client.post(POST, json={"title": "x"}, headers=headers), 400, "PK102")


async def test_the_same_request_many_times_at_once_makes_one_item(
    client: httpx.AsyncClient, pool: Pool, token: Tokens
) -> None:
    headers = {**token(ADA, "content:write"), "idempotency-key": "at-once"}
    answers = await asyncio.gather(*(client.post(POST, json={"title": "one"}, headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await pool.fetchval("SELECT count(*) FROM content_items_auto WHERE title = 'one'") == 1


async def test_a_refused_request_does_not_take_its_key(client: httpx.AsyncClient, token: Tokens) -> None:
    headers = {**token(ADA, "content:write"), "idempotency-key": "second-try"}
    taken = await client.post(POST, json={"title": "a", "external_id": "same"}, headers=token(ADA, "content:write"))
    assert taken.status_code == 201
    assert_problem(await client.post(POST, json={"title": "b", "external_id": "same"}, headers=headers), 409)
    assert (await client.post(POST, json={"title": "b"}, headers=headers)).status_code == 201


async def test_old_keys_are_forgotten_as_new_ones_come(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    await pool.execute(
        "INSERT INTO idempotency_key (user_id, key, fingerprint, at)"
        " SELECT 1, 'old ' || n, '', now() - interval '25 hours' FROM generate_series(1, 30) AS n"
    )
    async with running(settings) as client:
        for number in range(2):
            headers = {**token(ADA, "content:write"), "idempotency-key": f"new-{number}"}
            assert (await client.post(POST, json={"title": "x"}, headers=headers)).status_code == 201
    assert await pool.fetchval("SELECT count(*) FROM idempotency_key") == 2


async def test_no_update_is_lost_between_writers_who_say_what_they_saw(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    """Twenty writers add one to a number they read; with If-Match each addition counts once."""
    address = f"/api/v1/content/regular/{gallery.public.id}"
    headers = token(ADA, "content:write")
    await client.patch(address, json={"item_metadata": {"n": 0}}, headers=headers)

    async def add() -> None:
        while True:
            seen = await client.get(address)
            changed = {"item_metadata": {"n": seen.json()["item_metadata"]["n"] + 1}}
            done = await client.patch(address, json=changed, headers={**headers, "if-match": seen.headers["etag"]})
            if done.status_code == 200:
                return
            assert done.status_code == 412

    await asyncio.gather(*(add() for _ in range(20)))
    assert (await client.get(address)).json()["item_metadata"] == {"n": 20}


async def test_writers_who_add_and_remove_tags_at_once_undo_nobody(
    client: httpx.AsyncClient, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """Each adds a tag of its own and removes another one: the sum of all, in any order; counts agree."""
    address = f"/api/v1/content/regular/{gallery.public.id}"
    headers = token(ADA, "content:write")
    await client.patch(address, json={"tags": [f"old-{n}" for n in range(12)]}, headers=headers)
    changes: list[dict[str, Any]] = [{"tags_add": [f"new-{n}"], "tags_remove": [f"old-{n}"]} for n in range(12)]
    done = await asyncio.gather(*(client.patch(address, json=change, headers=headers) for change in changes))
    assert {answer.status_code for answer in done} == {200}
    tags = sorted(tag["name"] for tag in (await client.get(address)).json()["tags"])
    assert tags == sorted(f"new-{n}" for n in range(12))
    assert await _counts_are_right(pool)


async def test_the_bound_on_tags_holds_for_writers_at_once(
    client: httpx.AsyncClient, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """Write skew: each addition alone is within the bound of 1,000 tags, all of them are not."""
    address = f"/api/v1/content/regular/{gallery.public.id}"
    headers = token(ADA, "content:write")
    await client.patch(address, json={"tags": [f"t{n}" for n in range(998)]}, headers=headers)
    changes = [{"tags_add": [f"more-{n}"]} for n in range(6)]
    done = await asyncio.gather(*(client.patch(address, json=change, headers=headers) for change in changes))
    assert sorted(answer.status_code for answer in done) == [200, 200, 422, 422, 422, 422]
    carried = "SELECT count(*) FROM content_tags WHERE source_type = 1 AND content_id = $1"
    assert await pool.fetchval(carried, gallery.public.id) == 1000


async def test_a_tag_merged_while_items_take_it_leaves_no_tagging_behind(
    client: httpx.AsyncClient, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """A phantom: taggings that appear while the merge moves those it has seen."""
    headers = token(ADA, "content:write")
    tags = {row["name"]: row["id"] for row in await pool.fetch("SELECT id, name FROM tags")}
    writes = [client.post(POST, json={"title": f"w{n}", "tags": ["sunset"]}, headers=headers) for n in range(20)]
    answers = await asyncio.gather(*writes[:10], merge(pool, tags["sunset"], tags["boat"]), *writes[10:])
    for answer in answers:
        if isinstance(answer, httpx.Response):
            assert answer.status_code in {201, 503}, answer.text  # 503: asked to try again
    orphans = "SELECT count(*) FROM content_tags AS t LEFT JOIN tags ON tags.id = t.tag_id WHERE tags.id IS NULL"
    assert await pool.fetchval(orphans) == 0
    assert await _counts_are_right(pool)


async def _counts_are_right(pool: Pool) -> bool:
    sql = """
        WITH told AS (
            SELECT tag_id, sum(n) AS n
            FROM (
                SELECT tag_id, item_count AS n FROM tag_counts UNION ALL SELECT tag_id, delta FROM tag_count_deltas
            ) AS both_tables
            GROUP BY tag_id
        ), counted AS (SELECT tag_id, count(*) AS n FROM content_tags GROUP BY tag_id)
        SELECT count(*) FROM told FULL JOIN counted USING (tag_id) WHERE coalesce(told.n, 0) <> coalesce(counted.n, 0)
    """
    return bool(await pool.fetchval(sql) == 0)
