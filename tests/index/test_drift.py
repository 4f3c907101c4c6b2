"""A build is due when much came, or much stands in one band; the keeper sees to it, now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.drift import drifted
from pinakes.index.fold import fold
from pinakes.index.keeper import DRIFT_S, IndexKeeper
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from read_models import documents, drain, seed


async def add(pool: Pool, first: int, last: int, created: str) -> None:
    await pool.execute(
        f"""INSERT INTO content_items (id, title, creator_id, created_at, updated_at, quality_score)
            SELECT n, 'item ' || n, 1, {created}, {created}, n % 400 / 400.0
            FROM generate_series($1::int, $2::int) AS n""",
        first,
        last,
    )


@pytest_asyncio.fixture
async def keeper(pool: Pool, database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    await seed(connection)
    await add(pool, 1, 400, "'2024-01-01'::timestamptz + n * interval '1 hour'")
    await build_view(connection, "incremental")
    await build(database_url, processes=0)
    yield connection
    await connection.close()


async def test_half_as_many_again_are_too_many(keeper: asyncpg.Connection[asyncpg.Record], pool: Pool) -> None:
    applier = Applier(observers=[DeltaWriter()])
    await add(pool, 1001, 1199, "'2024-02-01'::timestamptz + n * interval '1 second'")
    await drain(keeper, applier)
    assert await drifted(keeper, least=200) is None
    assert await drifted(keeper, least=300) is None
    await add(pool, 1200, 1200, "'2024-02-01'::timestamptz")
    await drain(keeper, applier)
    assert await drifted(keeper, least=200) == "grown: 200 documents came to 400"


async def test_an_eighth_of_all_in_one_band_is_too_much(keeper: asyncpg.Connection[asyncpg.Record], pool: Pool) -> None:
    applier = Applier(observers=[DeltaWriter()])
    await add(pool, 401, 460, "'2024-01-01'::timestamptz + (n - 400) * interval '6 hours'")
    await drain(keeper, applier)
    await fold(keeper)
    assert await drifted(keeper, least=10) is None
    await add(pool, 461, 550, "'2030-01-01'::timestamptz")
    await drain(keeper, applier)
    await fold(keeper)
    reason = await drifted(keeper, least=10)
    assert reason is not None
    assert reason.startswith("crowded: ")
    assert reason.endswith("one band of created_at")


async def test_the_keeper_builds_anew_and_documents_keep_their_numbers(
    keeper: asyncpg.Connection[asyncpg.Record], pool: Pool, settings: Settings
) -> None:
    now = 0.0
    kept = IndexKeeper(settings, clock=lambda: now, least=100, processes=0)
    await kept.step(keeper)
    before = await keeper.fetchval("SELECT generation FROM index_generation WHERE status = 'live'")
    await add(pool, 1001, 1300, "'2024-06-01'::timestamptz")
    await drain(keeper, Applier(observers=[DeltaWriter()]))
    numbers = await documents(keeper)
    await kept.step(keeper)
    assert await keeper.fetchval("SELECT generation FROM index_generation WHERE status = 'live'") == before
    now += DRIFT_S
    await kept.step(keeper)
    assert await keeper.fetchval("SELECT generation FROM index_generation WHERE status = 'live'") > before
    assert await documents(keeper) == numbers


async def test_a_build_of_the_read_model_numbers_by_time_of_creation(
    keeper: asyncpg.Connection[asyncpg.Record], pool: Pool
) -> None:
    await add(pool, 1001, 1010, "'2024-01-05'::timestamptz - n * interval '1 minute'")
    await drain(keeper, Applier(observers=[DeltaWriter()]))
    await build_view(keeper, "incremental")
    rows = await keeper.fetch("SELECT created_at, id, source_type FROM unified_content_with_tags ORDER BY doc")
    places = [(row["created_at"], row["id"], row["source_type"]) for row in rows]
    assert places == sorted(places)
