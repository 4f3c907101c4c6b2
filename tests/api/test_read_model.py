"""Writes that wait until they are seen, and the engine an administrator may choose."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from api.application import ADA, BEN, Gallery, Tokens, assert_problem, running
from pinakes.engines.choice import ENGINE_NAMES
from pinakes.index.build import build
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.worker.loop import running as worker

UNIFIED = "/api/v1/content/unified"
SEEN = {"refresh": "wait_for"}


@pytest_asyncio.fixture
async def kept(settings: Settings, gallery: Gallery, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The application with a worker beside it and a read model that is there."""
    async with worker(settings), running(settings) as client:
        async with asyncio.timeout(60):
            while (await client.get(UNIFIED)).json()["engine"] == "base":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield client


async def _titles(client: httpx.AsyncClient, **parameters: str) -> list[str]:
    return [item["title"] for item in (await client.get(UNIFIED, params=parameters)).json()["items"]]


async def test_a_write_that_waits_is_in_the_next_answer(kept: httpx.AsyncClient, token: Tokens) -> None:
    headers = token(ADA, "content:write")
    last = 0
    for number in range(5):
        assert f"new {number}" not in await _titles(kept)
        made = await kept.post(
            "/api/v1/content/regular", params=SEEN, headers=headers, json={"title": f"new {number}", "tags": ["fresh"]}
        )
        assert made.status_code == 201
        epoch = int(made.headers["x-pinakes-epoch"])
        assert epoch > last
        last = epoch
        for query in ({}, {"tags_all": "fresh"}):
            answer = (await kept.get(UNIFIED, params=query)).json()
            assert answer["items"][0]["title"] == f"new {number}"
            assert answer["epoch"] >= epoch
        address = made.headers["location"]
        changed = await kept.patch(address, params=SEEN, headers=headers, json={"title": f"changed {number}"})
        assert (await _titles(kept, tags_all="fresh"))[0] == f"changed {number}"
        assert int(changed.headers["x-pinakes-epoch"]) > epoch
        gone = await kept.delete(address, params=SEEN, headers=headers)
        assert (gone.status_code, int(gone.headers["x-pinakes-epoch"]) > epoch) == (204, True)
        assert await _titles(kept, tags_all="fresh") == []


async def test_a_write_does_not_wait_unless_it_is_told(kept: httpx.AsyncClient, token: Tokens) -> None:
    made = await kept.post("/api/v1/content/auto", headers=token(ADA, "content:write"), json={"title": "hasty"})
    assert made.status_code == 201
    assert "x-pinakes-epoch" not in made.headers


async def test_nobody_waits_longer_than_allowed(settings: Settings, gallery: Gallery, token: Tokens) -> None:
    """Without a worker the write is kept, and its answer names no epoch."""
    async with running(settings.model_copy(update={"wait_for_seconds": 0.2})) as client:
        made = await client.post(
            "/api/v1/content/auto", params=SEEN, headers=token(ADA, "content:write"), json={"title": "patient"}
        )
        assert made.status_code == 201
        assert "x-pinakes-epoch" not in made.headers
        assert "patient" in await _titles(client)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
async def test_administrators_choose_the_engine(
    kept: httpx.AsyncClient, settings: Settings, token: Tokens, engine: str
) -> None:
    assert settings.database_url is not None
    await build(settings.database_url, processes=1)
    answer = await kept.get(UNIFIED, params={"engine": engine}, headers=token(ADA, "admin"))
    assert answer.status_code == 200
    assert engine in (answer.json()["engine"], "auto")
    assert answer.headers["x-cache"] == "BYPASS"
    assert len(answer.json()["items"]) == 3
    for other, status in (({}, 401), (token(BEN, "content:admin"), 403)):
        assert_problem(await kept.get(UNIFIED, params={"engine": engine}, headers=other), status)


async def test_the_parameter_cannot_be_smuggled_in(kept: httpx.AsyncClient) -> None:
    assert_problem(await kept.get(f"{UNIFIED}?%65ngine=base"), 401, "PK301")


async def test_without_a_read_model_base_answers_and_says_why(
    settings: Settings, gallery: Gallery, token: Tokens
) -> None:
    async with running(settings) as client:
        answer = (await client.get(UNIFIED)).json()
        assert answer["engine"] == "base"
        assert any("passed over" in warning for warning in answer["warnings"])
        refused = await client.get(UNIFIED, params={"engine": "matview"}, headers=token(ADA, "admin"))
        assert_problem(refused, 503, "PK405")


async def test_writes_are_announced_to_celery_where_there_is_one(
    settings: Settings, gallery: Gallery, token: Tokens, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message however many writes; the broker is a real Redis."""
    from pinakes.worker.celery_app import broker_url

    told = settings.model_copy(update={"celery_broker_url": broker_url(settings)})
    for name, value in told.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "pinakes.worker.celery_app")
    async with running(told) as client:
        for number in range(20):
            await client.post(
                "/api/v1/content/auto", headers=token(ADA, "content:write"), json={"title": f"told {number}"}
            )
    queue = sys.modules["pinakes.worker.celery_app"]._broker()
    assert queue.llen("celery") == 1
