"""What an answer took: explanations for administrators, Server-Timing for everybody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.application import ADA, BEN, Gallery, Tokens, assert_problem, running
from pinakes.engines.choice import EngineName
from pinakes.index.build import build
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.build import build as build_view

UNIFIED = "/api/v1/content/unified"
FACETS = f"{UNIFIED}/facets"


@pytest_asyncio.fixture
async def indexed(settings: Settings, gallery: Gallery, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The application on a gallery with a read model and an index."""
    async with pool.acquire() as connection:
        await build_view(connection, "incremental")
    assert settings.database_url is not None
    await build(settings.database_url, processes=0)
    async with running(settings) as opened:
        yield opened


async def _explained(client: httpx.AsyncClient, token: Tokens, **query: str) -> dict[str, Any]:
    response = await client.get(UNIFIED, params={**query, "explain": "true"}, headers=token(ADA, "admin"))
    assert response.status_code == 200, response.text
    assert response.headers["x-cache"] == "BYPASS"
    found: dict[str, Any] = response.json()["explain"]
    return found


async def test_only_administrators_are_told(client: httpx.AsyncClient, token: Tokens) -> None:
    for headers, status in (({}, 401), (token(ADA), 403), (token(ADA, "content:admin"), 403)):
        problem = assert_problem(await client.get(UNIFIED, params={"explain": "true"}, headers=headers), status)
        assert problem["parameter"] == "explain"
        encoded = await client.get(f"{UNIFIED}?%65xplain=true", headers=headers)
        assert_problem(encoded, status)
    plain = await client.get(UNIFIED, params={"explain": "false"})
    assert "explain" not in plain.json()


async def test_engine_base_tells_its_rules(client: httpx.AsyncClient, token: Tokens, gallery: Gallery) -> None:
    sunset = next(tag.id for tag in gallery.public.tags if tag.name == "sunset")
    told = await _explained(client, token, q="sunset", engine="base")
    assert f"tag:{sunset}" in told["formula"]
    assert told["plan"] == {name: {"rule": "drive_by_tag", "driver": [sunset]} for name in ("regular", "auto")}
    assert list(told["stages_ms"]) == ["begin", "names", "plan", "select", "page", "stamp"]
    told = await _explained(client, token, engine="base", page_size="1")
    assert told["plan"]["auto"] == {"rule": "walk_order", "driver": []}
    assert "count" in told["stages_ms"]


async def test_engine_matview_tells_its_rule(indexed: httpx.AsyncClient, token: Tokens, gallery: Gallery) -> None:
    boat = next(tag.id for tag in gallery.other.tags if tag.name == "boat")
    told = await _explained(indexed, token, q="boat", engine="matview")
    assert told["plan"] == {"rule": "drive_by_tag", "driver": [boat]}


async def test_engine_index_tells_operands_segments_and_slices(
    indexed: httpx.AsyncClient, token: Tokens, gallery: Gallery
) -> None:
    sunset = next(tag.id for tag in gallery.public.tags if tag.name == "sunset")
    cold = await _explained(indexed, token, q="sunset -castle score:>0.1 order:quality")
    assert cold["operands"][f"tag:{sunset}"] == 3
    assert cold["segments_loaded"] > 0
    assert cold["rounds"] > 0
    assert cold["visits"]["operands"] > 0
    assert set(cold["stages_ms"]) >= {"begin", "names", "state", "evaluate", "page", "stamp"}
    warm = await _explained(indexed, token, q="sunset -castle score:>0.1 order:quality")
    assert (warm["segments_loaded"], warm["loaded"]) == (0, [])
    assert warm["operands"] == cold["operands"]


def _timing(response: httpx.Response) -> dict[str, str]:
    return dict(part.split(";", 1) for part in response.headers["server-timing"].split(", "))


async def test_everybody_is_told_the_stages_and_where_an_answer_is_from(client: httpx.AsyncClient) -> None:
    first = await client.get(UNIFIED, params={"q": "sunset", "use_cache": "false"})
    timing = _timing(first)
    assert timing.pop("cache") == "desc=BYPASS"
    assert list(timing) == ["begin", "names", "plan", "select", "page", "stamp"]
    assert all(re.fullmatch(r"dur=\d+", told) for told in timing.values()), "whole milliseconds only"
    facets = _timing(await client.get(FACETS, params={"use_cache": "false"}))
    assert list(facets) == ["cache", "begin", "names", "facets", "stamp"]


async def test_administrators_are_told_the_stages_more_finely(client: httpx.AsyncClient, token: Tokens) -> None:
    told = await client.get(UNIFIED, params={"use_cache": "false"}, headers=token(ADA, "admin"))
    timing = _timing(told)
    assert all(re.fullmatch(r"dur=\d+\.\d\d", each) for name, each in timing.items() if name != "cache")


@pytest.mark.parametrize("engine", ["index", "base"])
async def test_a_tag_seen_on_private_items_only_takes_the_steps_of_one_that_is_not_there(
    engine: EngineName, indexed: httpx.AsyncClient, settings: Settings, token: Tokens
) -> None:
    assert (await indexed.get(UNIFIED)).json()["engine"] == "index"
    async with running(settings.model_copy(update={"engine": engine})) as opened:
        for headers in ({}, token(BEN)):
            for column in ("q", "tags_all"):
                hidden, absent = [
                    await opened.get(UNIFIED, params={column: tag, "use_cache": "false"}, headers=headers)
                    for tag in ("secret", "absent")
                ]
                assert list(_timing(hidden)) == list(_timing(absent))
        seen = await opened.get(UNIFIED, params={"tags_all": "secret", "use_cache": "false"}, headers=token(ADA))
        assert seen.json()["pagination"]["total_count"] == 1
