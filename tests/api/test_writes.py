"""Creating, changing and deleting items over HTTP: who may, and which version."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.application import ADA, BEN, EVE, Gallery, Tokens, assert_problem
from pinakes.api.auth import make_token
from pinakes.settings import Settings
from pinakes.store.pool import Pool

POST = "/api/v1/content/regular"


@dataclass(frozen=True)
class Caller:
    """Somebody, by their token."""

    name: str
    user: int | None
    scopes: tuple[str, ...] = ()


ANONYMOUS = Caller("anonymous", None)
READER = Caller("ada without scope", ADA)
OTHER_SCOPE = Caller("ada with another scope", ADA, ("admin",))
OWNER = Caller("ada", ADA, ("content:write",))
STRANGER = Caller("ben", BEN, ("content:write",))
ADMINISTRATOR = Caller("eve", EVE, ("content:admin",))
GHOST = Caller("nobody here", 99, ("content:write",))

# What each caller gets: create own, create for ben, change and delete ada's public and private items.
ROLES: dict[Caller, tuple[int, int, int, int, int, int]] = {
    ANONYMOUS: (401, 401, 401, 401, 401, 401),
    READER: (403, 403, 403, 403, 403, 403),
    OTHER_SCOPE: (403, 403, 403, 403, 403, 403),
    OWNER: (201, 403, 200, 200, 204, 204),
    STRANGER: (201, 201, 403, 404, 403, 404),
    ADMINISTRATOR: (201, 201, 200, 200, 204, 204),
    GHOST: (403, 403, 403, 404, 403, 404),
}


@pytest.mark.parametrize("caller", ROLES, ids=lambda caller: caller.name)
async def test_who_may_write_what(client: httpx.AsyncClient, gallery: Gallery, token: Tokens, caller: Caller) -> None:
    headers = {} if caller.user is None else token(caller.user, *caller.scopes)
    public = f"/api/v1/content/regular/{gallery.public.id}"
    private = f"/api/v1/content/auto/{gallery.private.id}"
    requests: list[tuple[str, str, Any]] = [
        ("POST", POST, {"title": "new"}),
        ("POST", POST, {"title": "new", "creator_id": BEN}),
        ("PATCH", public, {"title": "changed"}),
        ("PATCH", private, {"title": "changed"}),
        ("DELETE", public, None),
        ("DELETE", private, None),
    ]
    responses = [await client.request(method, url, json=body, headers=headers) for method, url, body in requests]
    assert tuple(response.status_code for response in responses) == ROLES[caller]
    for response in responses:
        if response.status_code >= 400:
            assert_problem(response, response.status_code)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/api/v1/content/unified"),
        ("GET", "/api/v1/content/regular/1"),
        ("GET", "/api/v1/tags"),
        ("GET", "/api/v1/tags/1"),
        ("POST", POST),
        ("PATCH", "/api/v1/content/regular/1"),
        ("DELETE", "/api/v1/content/regular/1"),
    ],
)
async def test_a_bad_token_is_refused_on_every_route(
    client: httpx.AsyncClient, settings: Settings, method: str, url: str
) -> None:
    expired = make_token(settings, ADA, "ada", ["content:write"], -1)
    for header in ("Bearer nonsense", f"Bearer {expired}", "Basic YWRhOg=="):
        response = await client.request(method, url, headers={"authorization": header})
        assert_problem(response, 401, "PK301")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_an_item_is_created_read_changed_and_deleted(client: httpx.AsyncClient, token: Tokens) -> None:
    headers = token(ADA, "content:write")
    body = {"title": "Lake", "tags": ["water", " blue ", "water"], "created_at": "2020-02-29T12:00:00+02:00"}
    created = await client.post(POST, json=body, headers=headers)
    assert created.status_code == 201
    item = created.json()
    assert [tag["name"] for tag in item["tags"]] == ["blue", "water"]
    assert item["created_at"] == "2020-02-29T10:00:00Z"
    url = created.headers["location"]
    read = await client.get(url)
    assert (read.json(), read.headers["etag"]) == (item, created.headers["etag"])
    changes = {"tags_add": ["deep"], "tags_remove": ["blue"], "quality_score": 0.25}
    changed = await client.patch(url, json=changes, headers=headers)
    assert [tag["name"] for tag in changed.json()["tags"]] == ["deep", "water"]
    assert (changed.json()["title"], changed.json()["quality_score"]) == ("Lake", 0.25)
    assert (await client.delete(url, headers=headers)).status_code == 204
    assert_problem(await client.get(url), 404)
    assert_problem(await client.delete(url, headers=headers), 404)


async def test_what_was_repaired_is_told_in_the_answer(client: httpx.AsyncClient, token: Tokens) -> None:
    headers = token(ADA, "content:write")
    created = await client.post(POST, json={"title": "a\0b", "tags": ["line1\nline2", "a\1"]}, headers=headers)
    assert created.status_code == 201
    assert [tag["name"] for tag in created.json()["tags"]] == ["a", "line1 line2"]
    assert len(created.json()["warnings"]) == 3
    url = created.headers["location"]
    assert "warnings" not in (await client.get(url)).json()
    changed = await client.patch(url, json={"tags_add": ["b\u202ec"]}, headers=headers)
    assert changed.json()["warnings"] == ["the tag 'b\\u202ec' is kept as 'bc'"]
    assert "warnings" not in (await client.patch(url, json={"title": "fine"}, headers=headers)).json()
    assert_problem(await client.post(POST, json={"title": "t", "tags": ["\u200b"]}, headers=headers), 422)


@pytest.mark.parametrize("number", ["123456789012345678901234567890", "9223372036854775808"])
async def test_a_whole_number_is_kept_exactly_or_refused(client: httpx.AsyncClient, token: Tokens, number: str) -> None:
    headers = token(ADA, "content:write")
    for given, status in ((number, 422), ("9223372036854775807", 201), ("1e29", 201)):
        body = f'{{"title": "t", "item_metadata": {{"n": {given}}}}}'
        answer = await client.post(POST, content=body, headers=headers)
        assert answer.status_code == status, given


async def test_an_etag_saves_reading_again(client: httpx.AsyncClient, gallery: Gallery, token: Tokens) -> None:
    url = f"/api/v1/content/regular/{gallery.public.id}"
    etag = (await client.get(url)).headers["etag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await client.get(url, headers={"if-none-match": condition})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
    assert (await client.get(url, headers={"if-none-match": '"other"'})).status_code == 200
    await client.patch(url, json={"tags_add": ["new"]}, headers=token(ADA, "content:write"))
    assert (await client.get(url, headers={"if-none-match": etag})).status_code == 200


async def test_a_private_item_answers_no_condition(client: httpx.AsyncClient, gallery: Gallery) -> None:
    url = f"/api/v1/content/auto/{gallery.private.id}"
    assert_problem(await client.get(url, headers={"if-none-match": "*"}), 404)


async def test_a_version_that_is_gone_is_412(client: httpx.AsyncClient, gallery: Gallery, token: Tokens) -> None:
    url, headers = f"/api/v1/content/regular/{gallery.public.id}", token(ADA, "content:write")
    read = await client.get(url)
    old = {**headers, "if-match": read.headers["etag"]}
    first = await client.patch(url, json={"title": "first"}, headers=old)
    assert first.status_code == 200
    problem = assert_problem(await client.patch(url, json={"title": "second"}, headers=old), 412, "PK204")
    assert problem["etag"] == first.headers["etag"]
    body = {"title": "third", "updated_at": read.json()["updated_at"]}
    assert_problem(await client.patch(url, json=body, headers=headers), 412)
    assert_problem(await client.delete(url, headers=old), 412)
    body["updated_at"] = first.json()["updated_at"]
    third = await client.patch(url, json=body, headers=headers)
    assert third.json()["title"] == "third"
    current = {**headers, "if-match": third.headers["etag"]}
    assert (await client.delete(url, headers=current)).status_code == 204


async def test_of_two_changes_at_once_one_is_412(client: httpx.AsyncClient, gallery: Gallery, token: Tokens) -> None:
    url, headers = f"/api/v1/content/regular/{gallery.public.id}", token(ADA, "content:write")
    headers["if-match"] = (await client.get(url)).headers["etag"]
    changes = ({"title": "one", "tags_add": ["x"]}, {"title": "two", "tags_add": ["x"]})
    responses = await asyncio.gather(*(client.patch(url, json=change, headers=headers) for change in changes))
    assert sorted(response.status_code for response in responses) == [200, 412]


BAD_BODIES: list[tuple[bytes, int, str, str | None]] = [
    (b"", 400, "PK704", None),
    (b"{", 400, "PK704", None),
    (b"[]", 400, "PK704", None),
    (b'"title"', 400, "PK704", None),
    (b'{"title": NaN}', 400, "PK704", None),
    (b'{"title": "\xff"}', 400, "PK704", None),
    (b"[" * 100_000, 400, "PK704", None),
    (b"{}", 422, "PK201", "title"),
    (b'{"title": ""}', 201, "", None),
    (b'{"title": "a\\u0000"}', 201, "", None),  # repaired
    (b'{"title": "t", "external_id": "a\\u0000"}', 422, "PK201", "external_id"),
    (b'{"title": "t", "tags": ["\\u0000"]}', 422, "PK201", "tags"),
    (b'{"title": "t", "colour": 1}', 422, "PK201", "colour"),
    (b'{"title": "t", "quality_score": 1e999}', 400, "PK704", None),
    (b'{"title": "t", "tags": [""]}', 422, "PK201", "tags"),
    (b'{"title": "t", "content_type": "A"}', 422, "PK201", "content_type"),
    (b'{"title": "t", "created_at": "0000-01-01"}', 422, "PK201", "created_at"),
    (b'{"title": "t", "item_metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 501, 422, "PK201", "item_metadata"),
    (b'{"title": "t", "creator_id": 99}', 403, "PK302", "creator_id"),
    (b'{"title": "' + b"x" * 2_100_000 + b'"}', 413, "PK703", None),
]


async def test_bad_bodies_are_problem_documents(client: httpx.AsyncClient, token: Tokens) -> None:
    for body, status, code, field in BAD_BODIES:
        response = await client.post(POST, content=body, headers=token(ADA, "content:write"))
        if status != 201:
            problem = assert_problem(response, status, code)
            assert problem.get("field") == field, (body[:60], problem)
            assert field is None or status == 403 or problem["allowed"]
        else:
            assert response.status_code == 201
            assert "\\u0000" not in response.text


async def test_a_body_without_announced_length_is_cut_off_too(client: httpx.AsyncClient, token: Tokens) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 100_000

    assert_problem(await client.post(POST, content=chunks(), headers=token(ADA, "content:write")), 413, "PK703")


async def test_a_taken_external_id_is_a_conflict(client: httpx.AsyncClient, gallery: Gallery, token: Tokens) -> None:
    body = {"title": "t", "external_id": gallery.public.external_id}
    problem = assert_problem(await client.post(POST, json=body, headers=token(ADA, "content:write")), 409, "PK203")
    assert problem["field"] == "external_id"


async def test_refused_writes_leave_nothing_behind(client: httpx.AsyncClient, pool: Pool, token: Tokens) -> None:
    before = await pool.fetchval("SELECT count(*) FROM tags")
    body = {"title": "t", "tags": ["brand new"]}
    await client.post(POST, json={**body, "creator_id": BEN}, headers=token(ADA, "content:write"))
    await client.post(POST, json=body, headers=token(99, "content:write"))
    assert await pool.fetchval("SELECT count(*) FROM tags") == before
