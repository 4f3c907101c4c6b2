"""The cache as seen over HTTP: fields, headers, bypass, invalidation, statistics."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import zstandard

from api.application import Tokens
from cache.served import patient_site, served
from cache.site_workers import Site
from pinakes.settings import Settings

URL = "/api/v1/content/unified"
TAG = f"{URL}?tag=3&tag_match=all"


@pytest_asyncio.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with patient_site(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with served(site, IDENTITY) as opened:
        yield opened


IDENTITY = {"accept-encoding": "identity"}


@pytest.fixture
def token(settings: Settings) -> Tokens:
    return Tokens(settings)


def fields(response: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in response.json().items() if name.startswith("_")}


async def test_fields_and_headers_tell_where_an_answer_is_from(client: httpx.AsyncClient) -> None:
    miss, hit = await client.get(TAG), await client.get(TAG)
    assert (miss.headers["x-cache"], hit.headers["x-cache"]) == ("MISS", "HIT")
    assert "age" not in miss.headers
    assert int(hit.headers["age"]) == fields(hit)["_cache_age_seconds"]
    assert fields(miss)["_from_cache"] is False
    assert fields(hit)["_from_cache"] is True
    assert fields(miss)["_cached_at"] == fields(hit)["_cached_at"]
    assert hit.headers["cache-control"] == "private, no-cache"
    assert {name.strip() for name in hit.headers["vary"].split(",")} == {"authorization", "accept-encoding"}
    told = {name: value for name, value in hit.json().items() if not name.startswith("_")}
    assert told == {name: value for name, value in miss.json().items() if not name.startswith("_")}


@pytest.mark.parametrize(
    ("query", "headers", "state"),
    [
        ("&use_cache=false", {}, "BYPASS"),
        ("&use%5Fcache=false", {}, "BYPASS"),
        ("&use_cache=true", {}, "HIT"),
        ("", {"cache-control": "no-cache"}, "BYPASS"),
        ("", {"cache-control": "no-store"}, "BYPASS"),
        ("", {"cache-control": "max-age=0"}, "BYPASS"),
        ("", {"cache-control": "max-age=300"}, "HIT"),
        ("", {}, "HIT"),
    ],
)
async def test_bypass(client: httpx.AsyncClient, query: str, headers: dict[str, str], state: str) -> None:
    await client.get(TAG)
    response = await client.get(TAG + query, headers=headers)
    assert response.headers["x-cache"] == state
    assert fields(response)["_from_cache"] is (state == "HIT")


async def test_use_cache_takes_true_or_false(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{URL}?use_cache=maybe")
    assert response.status_code == 400
    assert response.json()["parameter"] == "use_cache"


async def test_an_etag_names_what_is_said(client: httpx.AsyncClient, site: Site) -> None:
    first = await client.get(TAG)
    etag = first.headers["etag"]
    fresh = await client.get(TAG, headers={"cache-control": "no-cache"})
    assert fresh.headers["etag"] == etag, "how the answer came about does not count"
    for wanted in (etag, f'"x", {etag}', "*", etag.removeprefix("W/")):
        response = await client.get(TAG, headers={"if-none-match": wanted})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
        assert response.headers["x-cache"] == "HIT"
    assert (await client.get(TAG, headers={"if-none-match": '"other"'})).status_code == 200
    assert (await client.get(URL, headers={"if-none-match": etag})).status_code == 200


@pytest.mark.parametrize(("accepted", "decode"), [("gzip", gzip.decompress), ("zstd", None)])
async def test_bodies_come_compressed(client: httpx.AsyncClient, accepted: str, decode: Any) -> None:
    plain = await client.get(TAG)
    request = client.build_request("GET", TAG, headers={"accept-encoding": accepted})
    response = await client.send(request, stream=True)
    raw = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == accepted
    assert int(response.headers["content-length"]) == len(raw) < len(plain.content)
    text = decode(raw) if decode else zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    assert orjson.loads(text)["items"] == plain.json()["items"]


async def test_invalidating_needs_the_scope_and_works(client: httpx.AsyncClient, token: Tokens) -> None:
    url = "/api/v1/admin/cache/invalidate"
    await client.get(TAG)
    for headers, status in (({}, 401), (token(1), 403), (token(1, "content:admin"), 403)):
        assert (await client.post(url, json={"all": True}, headers=headers)).status_code == status
    admin = token(1, "admin")
    assert (await client.get(TAG)).headers["x-cache"] == "HIT"
    done = await client.post(url, json={"tags": [3], "creators": [2]}, headers=admin)
    assert done.json() == {"invalidated": ["tag:3", "creator:2"]}
    assert (await client.get(TAG)).headers["x-cache"] == "MISS"
    for body in (b"", b"{}", b"[]", b'{"tags": ["x"]}', b'{"tags": []}', b'{"else": 1}', b'{"tags": [true]}'):
        refused = await client.post(url, content=body, headers=admin)
        assert refused.status_code == 400, (body, refused.text)
    assert (await client.post(url, content=b"{", headers=admin)).status_code == 400


async def test_statistics(client: httpx.AsyncClient) -> None:
    for _ in range(4):
        await client.get(TAG)
    await client.get(f"{URL}?use_cache=false")
    told = (await client.get("/api/v1/stats/cache")).json()
    assert (told["strategy"], told["state"], told["redis"]) == ("hybrid", "ok", "ok")
    assert (told["hits"], told["miss"], told["bypass"], told["hit_rate"]) == (3, 1, 1, 0.75)
    assert told["by_kind"]["tagged"]["hit_rate"] == 0.75
    assert told["entries"] >= 1
    assert told["bytes"] > 0
    assert told["evictions"] == 0
    assert told["publisher_lag_ms"] is not None
    assert told["process"]["entries"] >= 1
