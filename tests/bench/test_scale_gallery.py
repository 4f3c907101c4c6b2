"""A gallery written straight into the read model is one that the index can be built of."""

from __future__ import annotations

import asyncpg

from pinakes.bench.scale_gallery import make
from pinakes.index.build import build
from pinakes.index.part import connect
from pinakes.index.verify import verify


async def test_the_read_model_filled_directly_is_indexed_like_any_other(database_url: str) -> None:
    await make(database_url, 3_000, processes=1, peer_indexes=False)
    built = await build(database_url, processes=0)
    assert built.docs == 3_000
    connection = await connect(database_url)
    try:
        assert [finding async for _, _, found in verify(connection) for finding in found] == []
    finally:
        await connection.close()
    plain = await asyncpg.connect(database_url)
    try:
        counted = await plain.fetchval("SELECT sum(item_count)::bigint FROM tag_counts")
        assert counted == await plain.fetchval("SELECT sum(cardinality(tags)) FROM unified_content_with_tags")
    finally:
        await plain.close()


async def test_a_fill_that_was_interrupted_begins_again(database_url: str) -> None:
    await make(database_url, 2_000, processes=1, peer_indexes=False)
    await make(database_url, 1_000, processes=1, peer_indexes=False)
    plain = await asyncpg.connect(database_url)
    try:
        assert await plain.fetchval("SELECT count(*) FROM unified_content_with_tags") == 1_000
        assert await plain.fetchval("SELECT next_doc FROM epoch") == 1_000
    finally:
        await plain.close()
