"""Facets over HTTP: of the current filter, of what the caller sees, beside a page, cached and cleared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.application import ADA, BEN, Gallery, Tokens, assert_problem
from cache.served import patient_site, served
from cache.site_workers import Site
from pinakes.settings import Settings

UNIFIED = "/api/v1/content/unified"
FACETS = f"{UNIFIED}/facets"


async def _get(client: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **query: object) -> Any:
    response = await client.get(path, params={name: str(value) for name, value in query.items()}, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def _counts(told: dict[str, Any]) -> dict[str, int]:
    return {each["name"]: each["count"] for each in told["facets"]}


async def test_facets_count_what_the_caller_sees(client: httpx.AsyncClient, token: Tokens) -> None:
    told = await _get(client, FACETS)
    assert list(_counts(told).items()) == [("sunset", 2), ("castle", 1), ("boat", 1)]
    assert (told["kind"], told["total_count"], told["total_kind"], told["counted"]) == ("exact", 2, "exact", 2)
    assert set(told["facets"][0]) == {"id", "name", "category", "count"}
    assert _counts(await _get(client, FACETS, token(BEN))) == _counts(told)
    assert _counts(await _get(client, FACETS, token(ADA))) == {"sunset": 3, "castle": 1, "secret": 1, "boat": 1}


async def test_facets_are_of_the_current_filter(client: httpx.AsyncClient, token: Tokens) -> None:
    told = await _get(client, FACETS, q="castle")
    assert (_counts(told), told["query"], told["total_count"]) == ({"sunset": 1, "castle": 1}, "castle", 1)
    assert _counts(await _get(client, FACETS, q="-castle")) == {"sunset": 1, "boat": 1}
    assert _counts(await _get(client, FACETS, token(ADA), q="mine:")) == {"sunset": 2, "castle": 1, "secret": 1}
    assert _counts(await _get(client, FACETS, limit=1)) == {"sunset": 2}
    told = await _get(client, FACETS, q="tag:nothing_like_it")
    assert (told["facets"], told["total_count"], len(told["warnings"])) == ([], 0, 3)


async def test_facets_of_one_category(client: httpx.AsyncClient, gallery: Gallery, token: Tokens) -> None:
    number = next(tag.id for tag in gallery.public.tags if tag.name == "castle")
    changed = await client.patch(
        f"/api/v1/tags/{number}", json={"category": "place"}, headers=token(ADA, "content:write", "admin")
    )
    assert changed.status_code == 200, changed.text
    for told in (
        await _get(client, FACETS, category="place", use_cache="false"),
        await _get(client, FACETS, category="place", q="sunset", use_cache="false"),
    ):
        assert told["facets"] == [{"id": number, "name": "castle", "category": "place", "count": 1}]
    assert _counts(await _get(client, FACETS, category="", use_cache="false")) == {"sunset": 2, "boat": 1}
    assert _counts(await _get(client, FACETS, category="no such")) == {}


async def test_facets_come_beside_a_page(client: httpx.AsyncClient, token: Tokens) -> None:
    told = await _get(client, UNIFIED, include_facets="true", q="sunset", page_size=1)
    assert len(told["items"]) == 1
    assert _counts(told["facets"]) == {"sunset": 2, "castle": 1, "boat": 1}
    assert told["facets"]["total_count"] == told["pagination"]["total_count"] == 2
    assert "facets" not in await _get(client, UNIFIED, include_facets="false", q="sunset", page_size=1)
    named = await client.get(f"{UNIFIED}?include%5Ffacets=true")
    assert "facets" in named.json()
    assert _counts((await _get(client, UNIFIED, token(ADA), include_facets="true"))["facets"])["secret"] == 1


async def test_what_is_wrong_is_said(client: httpx.AsyncClient, token: Tokens) -> None:
    for wrong in ({"limit": "0"}, {"limit": "101"}, {"page": "1"}, {"sort_field": "title"}, {"include_facets": "true"}):
        assert_problem(await client.get(FACETS, params=wrong), 400)
    assert_problem(await client.get(UNIFIED, params={"include_facets": "yes"}), 400, "PK102")
    assert_problem(await client.get(FACETS, params={"engine": "base"}), 401, "PK301")
    assert_problem(await client.get(FACETS, params={"engine": "base"}, headers=token(ADA)), 403)
    assert_problem(await client.get(FACETS, params={"q": "scroe:>1"}), 400, "PK106")
    named = await client.get(FACETS, params={"engine": "index"}, headers=token(ADA, "admin"))
    assert_problem(named, 503)


@pytest_asyncio.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with patient_site(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def cached(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with served(site) as opened:
        yield opened


@pytest.mark.parametrize(
    "path", [f"{FACETS}?tag=3&tag_match=all", f"{UNIFIED}?tag=3&tag_match=all&include_facets=true"]
)
async def test_facets_are_cached_like_other_answers(cached: httpx.AsyncClient, path: str) -> None:
    first, second = await cached.get(path), await cached.get(path)
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.json()["_from_cache"] is False
    assert second.json()["_from_cache"] is True
    again = await cached.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await cached.get(f"{path}&use_cache=false")).headers["x-cache"] == "BYPASS"
    assert (await cached.get(path, headers={"cache-control": "no-cache"})).headers["x-cache"] == "BYPASS"


@pytest.mark.parametrize(
    "other", ["&limit=2", "&category=", "&category=none", "&descendants=true&q=tag:x", "&creator_filter=user"]
)
async def test_another_question_is_another_answer(cached: httpx.AsyncClient, other: str) -> None:
    path = f"{FACETS}?tag=3&tag_match=all"
    await cached.get(path)
    assert (await cached.get(f"{path}{other}")).headers["x-cache"] == "MISS"
    assert (await cached.get(path)).headers["x-cache"] == "HIT"
    assert (await cached.get(f"{UNIFIED}?tag=3&tag_match=all")).headers["x-cache"] == "MISS"


async def test_private_items_are_in_nobody_elses_stored_facets(cached: httpx.AsyncClient, settings: Settings) -> None:
    token = Tokens(settings)
    owner = (await cached.get(FACETS, headers=token(2))).json()
    public, stranger = (await cached.get(FACETS)).json(), (await cached.get(FACETS, headers=token(77))).json()
    assert owner["total_count"] > public["total_count"] == stranger["total_count"]
    assert _counts(public) == _counts(stranger)
    assert sum(_counts(owner).values()) - sum(_counts(public).values()) == owner["total_count"] - public["total_count"]


async def test_a_stored_answer_says_so_and_tells_no_stages(cached: httpx.AsyncClient) -> None:
    for path in (f"{FACETS}?tag=3&tag_match=all", f"{UNIFIED}?tag=3&tag_match=all"):
        miss, hit = await cached.get(path), await cached.get(path)
        assert miss.headers["server-timing"].startswith("cache;desc=MISS, begin;dur=")
        assert hit.headers["server-timing"] == "cache;desc=HIT"
