"""What wears out with time, really broken, found, and gone by the fix that is told.

Where a fault needs a gigabyte or a week, the threshold is lowered; the fault itself is a real one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from index_gear import Gear, sample
from pinakes.doctor import postgres
from pinakes.doctor.examine import CHECKS
from pinakes.doctor.finding import Finding
from pinakes.embedded import EmbeddedServers, tuning
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.applier import Applier
from pinakes.view.session import session


async def _found(pool: Pool, settings: Settings, check: str) -> list[Finding]:
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return await CHECKS[check](connection, settings)


async def test_a_bloated_index_is_found_and_a_reindex_heals_it(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "BLOATED_BYTES", 200_000)
    await pool.execute(
        "INSERT INTO tags (name) SELECT 'a tag of some length ' || n FROM generate_series(1, 20000) AS n"
    )
    await pool.execute("VACUUM (ANALYZE) tags")
    assert await _found(pool, settings, "indexes") == []
    await pool.execute("DELETE FROM tags WHERE id % 100 <> 0")
    await pool.execute("VACUUM (ANALYZE) tags")
    found = await _found(pool, settings, "indexes")
    assert {finding.fix for finding in found} == {
        *(f"REINDEX INDEX CONCURRENTLY {index}" for index in ("tags_name_key", "tags_pkey", "tags_key")),
    }  # fmt: skip
    for finding in found:
        assert "times what its entries need" in finding.said
        await pool.execute(finding.fix)
    assert await _found(pool, settings, "indexes") == []


async def test_an_index_nobody_uses_is_found_until_somebody_does(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "UNUSED_BYTES", 100_000)
    await pool.execute("CREATE INDEX of_no_use ON tags (category)")
    await pool.execute(
        "INSERT INTO tags (name, category) SELECT n, 'category ' || n FROM generate_series(1, 10000) AS n"
    )
    # Counted for less than a week, it may be asked for on Sundays.
    assert await _found(pool, settings, "indexes") == []
    monkeypatch.setattr(postgres, "UNUSED_S", 0.0)

    async def told() -> list[Finding]:
        return [finding for finding in await _found(pool, settings, "indexes") if "of_no_use" in finding.said]

    (finding,) = await told()
    assert finding.level == "note"
    assert "was not used" in finding.said
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.fetch("SELECT FROM tags WHERE category = 'category 7'")
    assert await told() == []


async def test_a_list_of_what_is_not_indexed_yet_is_found_until_it_is_emptied(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PENDING_ROWS", 40)
    await pool.execute("INSERT INTO users (username) SELECT 'somebody ' || n FROM generate_series(1, 40) AS n")
    assert await _found(pool, settings, "fastupdate") == []
    await pool.execute("INSERT INTO users (username) VALUES ('one more')")
    (finding,) = await _found(pool, settings, "fastupdate")
    assert "users_words" in finding.said
    assert "VACUUM users" in finding.fix
    # Either half of the fix is one.
    await pool.execute("ALTER INDEX users_words SET (fastupdate = off)")
    assert await _found(pool, settings, "fastupdate") == []
    await pool.execute("ALTER INDEX users_words RESET (fastupdate)")
    assert len(await _found(pool, settings, "fastupdate")) == 1
    await pool.execute("VACUUM users")
    assert await _found(pool, settings, "fastupdate") == []


async def test_transaction_numbers_that_run_out_are_found_until_old_rows_are_frozen(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    age = await pool.fetchval("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
    monkeypatch.setattr(postgres, "WRAPAROUND", age + 2000)
    assert await _found(pool, settings, "server") == []
    await pool.execute("DO $$ BEGIN FOR n IN 1..2100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    (finding,) = await _found(pool, settings, "server")
    assert finding.level == "problem"
    assert "VACUUM (FREEZE)" in finding.fix
    await pool.execute("VACUUM (FREEZE)")
    assert await _found(pool, settings, "server") == []


async def test_an_index_that_missed_an_epoch_is_found_until_it_is_built_anew(pool: Pool, settings: Settings) -> None:
    async with session(settings) as keeper:
        gear = Gear(pool, settings, keeper)
        await gear.begin(sample(20))
        assert await _found(pool, settings, "bitmap index") == []
        await pool.execute("UPDATE content_items SET title = title || '.'")
        await gear.apply()
        assert await _found(pool, settings, "bitmap index") == []
        await pool.execute("UPDATE content_items SET title = title || '.'")
        # As an applier of some other program does, which knows of no index.
        assert await Applier().apply(keeper) is not None
        (finding,) = await _found(pool, settings, "bitmap index")
        assert finding.level == "warning"
        assert "nobody uses it" in finding.said
        await gear.build()
        assert await _found(pool, settings, "bitmap index") == []


@pytest_asyncio.fixture
async def replicated(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A server that may have replicas and prepared transactions, which the embedded one may not."""
    usual = tuning.configuration

    def wider(sockets: Path, free_disk: int) -> str:
        return usual(sockets, free_disk) + (
            "wal_level = replica\nmax_replication_slots = 2\nmax_prepared_transactions = 2\n"
        )

    monkeypatch.setattr(tuning, "configuration", wider)
    servers = await EmbeddedServers.start(short_tmp / "replicated")
    yield servers.database_url
    await servers.stop()


async def test_a_forgotten_slot_and_a_forgotten_transaction_are_found_until_they_are_dropped(
    replicated: str, settings: Settings
) -> None:
    async with asyncpg.create_pool(replicated, min_size=1, max_size=1) as pool:
        assert await _found(pool, settings, "held back") == []
        await pool.execute("SELECT pg_create_physical_replication_slot('replica_of_last_year', true)")
        async with pool.acquire() as connection:
            await connection.execute("BEGIN; CREATE TABLE nothing (); PREPARE TRANSACTION 'never ended'")
        found = await _found(pool, settings, "held back")
        assert {finding.level for finding in found} == {"warning"}
        assert sorted(finding.said.partition(" is used")[0] for finding in found) == [
            "The prepared transaction never ended", "The replication slot replica_of_last_year",
        ]  # fmt: skip
        for finding in found:
            await pool.execute(finding.fix.removeprefix("If it is not wanted: "))
        assert await _found(pool, settings, "held back") == []
