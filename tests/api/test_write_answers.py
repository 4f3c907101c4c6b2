"""Writing is not reading: what every write tells its writer of items and tags that they may not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.application import ADA, EVE, Gallery, Tokens
from api.test_every_route import ALIASES, PARENTS, PRIVATE, ROLES, administrators, filled, headers_of, names_of
from pinakes.store import aliases, hierarchy
from pinakes.store.content import etag
from pinakes.store.pool import Pool

ITEMS_OF_AUTO = "/api/v1/content/auto"


@dataclass(frozen=True)
class Write:
    """A write that touches something private of ada's, and who may do it (ROLES in their order)."""

    method: str
    url: str
    statuses: tuple[int, ...]
    body: Any = None
    headers: dict[str, str] | None = None


WRITERS = (401, 401, 403, 404, 200, 200, 403)
MOVED = (401, 401, 403, 404, 200, 403, 403)
OLD = "2001-01-01T00:00:00Z"
WRITES: tuple[Write, ...] = (
    Write("PATCH", PRIVATE, WRITERS, {}),
    Write("PATCH", PRIVATE, WRITERS, {}, {"if-match": "*"}),
    Write("PATCH", PRIVATE, (401, 401, 403, 404, 412, 412, 403), {}, {"if-match": '"other"'}),
    Write("PATCH", PRIVATE, (401, 401, 403, 404, 412, 412, 403), {"updated_at": OLD}),
    Write("PATCH", PRIVATE, WRITERS, {"prompt": "a prompt"}),
    Write("PATCH", PRIVATE, WRITERS, {"tags_add": ["one more"]}),
    Write("PATCH", PRIVATE, (401, 401, 403, 404, 422, 422, 403), {"tags_add": [f"t{n}" for n in range(999)]}),
    Write("PATCH", PRIVATE, WRITERS, {"is_private": True}),
    Write("PATCH", PRIVATE, (401, 401, 403, 404, 409, 409, 403), {"external_id": "{external}"}),
    Write("PATCH", PRIVATE, (401, 401, 403, 422, 422, 422, 403), {"title": 5}),
    # Reading by way of writing: made public, or handed to somebody who then reads it.
    Write("PATCH", PRIVATE, (401, 401, 403, 404, 403, 403, 403), {"creator_id": EVE}),
    Write("PATCH", PRIVATE, (401, 401, 403, 404, 200, 403, 403), {"creator_id": ADA}),
    Write("DELETE", PRIVATE, (401, 401, 403, 404, 412, 412, 403), headers={"if-match": '"other"'}),
    Write("POST", ITEMS_OF_AUTO, (401, 401, 403, 201, 201, 201, 403), {"title": "n", "tags": ["secret"]}),
    Write(
        "POST", ITEMS_OF_AUTO, (401, 401, 403, 403, 201, 201, 403),
        {"title": "n", "creator_id": ADA, "is_private": True}, {"idempotency-key": "same"},
    ),
    Write(
        "POST", ITEMS_OF_AUTO, (401, 401, 403, 403, 201, 201, 403),
        {"title": "n", "creator_id": ADA, "is_private": True}, {"idempotency-key": "same"},
    ),
    Write("POST", ITEMS_OF_AUTO, (401, 401, 403, 409, 409, 409, 403), {"title": "n", "external_id": "{mine}"}),
    Write("PATCH", "/api/v1/tags/{secret}", administrators(404), {"category": "x"}),
    Write("PATCH", "/api/v1/tags/{secret}", administrators(404), {"name": "x"}),
    Write("PATCH", "/api/v1/tags/{boat}", administrators(409), {"name": "hush"}),
    Write("POST", ALIASES, administrators(404), {"alias": "quiet", "tag": "hush"}),
    Write("DELETE", f"{ALIASES}?alias=hush", administrators(404)),
    Write("GET", ALIASES, administrators(200)),
    Write("POST", PARENTS, administrators(409), {"child": "boat", "parent": "castle"}),
    Write("POST", PARENTS, administrators(404), {"child": "secret", "parent": "boat"}),
    Write("DELETE", f"{PARENTS}?child=secret&parent=boat", administrators(404)),
    Write("GET", PARENTS, administrators(200)),
    Write("DELETE", "/api/v1/tags/{secret}", administrators(404)),
    Write("POST", "/api/v1/tags/{secret}/merge", administrators(404), {"into": "{boat}"}),
    Write("DELETE", PRIVATE, (401, 401, 403, 404, 204, 204, 403)),
)  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
async def test_no_write_tells_its_writer_more_than_they_may_read(
    client: httpx.AsyncClient, gallery: Gallery, pool: Pool, token: Tokens, role: str
) -> None:
    names, headers = await names_of(gallery, pool), headers_of(token, role)
    async with pool.acquire() as conn:
        await aliases.put(conn, {"hush": "secret"})
        await hierarchy.put(conn, [("secret", "boat"), ("castle", "secret")])
    filling: dict[str, int | str] = {
        **names,
        "external": gallery.other.external_id,
        "mine": gallery.private.external_id,
    }
    hidden = gallery.private
    traces = {hidden.title, etag(hidden), f"{hidden.updated_at:%S.%f}", f"{hidden.created_at:%S.%f}", '"ada"'}
    for write in WRITES:
        url, body = filled(write.url, filling), filled(write.body, filling)
        sent = {**headers, **(write.headers or {})}
        answer = await client.request(write.method, url, json=body, headers=sent)
        assert answer.status_code == write.statuses[list(ROLES).index(role)], (write, answer.text)
        if role == "owner":
            continue
        told = answer.text + str(answer.headers)
        echo = str(write.body) + write.url
        told_of = {trace for trace in traces | {"secret"} if trace in told and trace not in echo}
        assert not told_of, (write, told_of, told)
        if write.url == PRIVATE and answer.status_code == 200:
            assert answer.json() == {"source_type": "auto", "id": hidden.id}
            assert "etag" not in answer.headers


async def test_a_merge_counts_for_administrators_what_they_may_see(
    client: httpx.AsyncClient, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    names = await names_of(gallery, pool)
    url = filled("/api/v1/tags/{sunset}/merge", names)
    answer = await client.post(url, json={"into": names["castle"]}, headers=token(EVE, "admin"))
    assert answer.json()["taggings"] == 2, "the third one is on a private item"
    assert await pool.fetchval("SELECT count(*) FROM content_tags_auto WHERE tag_id = $1", names["castle"]) == 2


async def test_sending_a_post_again_shows_no_item_that_has_become_private(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    sent: dict[str, Any] = {
        "headers": token(EVE, "content:admin") | {"idempotency-key": "k"},
        "json": {"title": "n", "creator_id": ADA},
    }
    made = await client.post(ITEMS_OF_AUTO, **sent)
    where = made.headers["location"]
    await client.patch(where, json={"title": "mine alone", "is_private": True}, headers=token(ADA, "content:write"))
    again = await client.post(ITEMS_OF_AUTO, **sent)
    assert (again.status_code, again.headers["location"]) == (201, where)
    assert again.json() == {"source_type": "auto", "id": made.json()["id"]}
    assert "etag" not in again.headers
