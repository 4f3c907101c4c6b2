"""Facts are what was counted; a probe counts by itself and changes nothing."""

from __future__ import annotations

from api.application import ADA, Gallery
from pinakes.advise.advice import advise
from pinakes.advise.measured import advise_measured, read_facts
from pinakes.advise.probe import QUESTIONS, probe
from pinakes.figures.journal import Journal
from pinakes.figures.recorder import Recorder
from pinakes.query.gallery_query import GalleryQuery
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool


async def test_facts_are_what_was_counted(pool: Pool, settings: Settings, gallery: Gallery) -> None:
    recorder = Recorder()
    service = ContentService(pool, settings, figures=recorder)
    for page in (1, 1, 1, 2):
        await service.get_unified_content_paginated(GalleryQuery(page=page, viewer=ADA))
    await Journal(pool, recorder, settings).store()
    other = Recorder()
    other.record("write:create", 0.01)
    await Journal(pool, other, settings).store()
    async with pool.acquire() as connection:
        await connection.execute("ANALYZE content_items, content_items_auto, content_tags")
        facts = await read_facts(connection, settings)
    assert (facts.items, facts.taggings, facts.reads) == (3, 6, 4)
    assert facts.repetition == 0.5
    assert facts.hit_rate is None
    assert facts.engines["base"].count == 4
    assert (facts.policy, facts.index, facts.cache) == (None, False, "hybrid")
    assert facts.cache_bytes == 256 * 2**20
    assert facts.processes == 2
    report = await advise_measured(pool, settings)
    assert report.note is not None
    assert report.as_dict()["facts"]["reads"] == 4


async def test_a_gallery_nobody_measured_is_probed_without_writing(
    pool: Pool, settings: Settings, gallery: Gallery
) -> None:
    async with pool.acquire() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await pool.expire_connections()
    facts = await probe(pool, settings)
    assert facts.source == "probed"
    assert facts.engines.keys() == {"base"}
    assert facts.answers is not None
    assert facts.answers.count == QUESTIONS
    assert facts.repetition is None
    assert advise(facts).facts is facts
