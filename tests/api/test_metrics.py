"""What is counted shows at /metrics, is stored, and names nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api.application import ADA, Gallery, Tokens, running
from pinakes.api.metrics import FAMILIES, exposition
from pinakes.figures.histogram import Histogram
from pinakes.figures.history import read_history, read_slowest
from pinakes.settings import Settings
from pinakes.store.pool import Pool

UNIFIED = "/api/v1/content/unified"


async def _figure(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    """The sum of a metric over whatever `labels` does not name."""
    text = (await client.get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def test_answers_engines_and_writes_are_counted(settings: Settings, gallery: Gallery, token: Tokens) -> None:
    async with running(settings.model_copy(update={"cache_strategy": "off"})) as client:
        for _ in range(3):
            await client.get(UNIFIED)
        await client.get(UNIFIED, params={"page": 2})
        writer = token(ADA, "content:write")
        await client.post("/api/v1/content/regular", headers=writer, json={"title": "counted"})
        assert await _figure(client, "pinakes_answer_seconds_count", source="bypass") == 4
        assert await _figure(client, "pinakes_engine_seconds_count", engine="base") == 4
        assert await _figure(client, "pinakes_engine_seconds_bucket", engine="base", le="+Inf") == 4
        assert await _figure(client, "pinakes_first_asked_total") == 2
        assert await _figure(client, "pinakes_write_seconds_count", kind="create") == 1


async def test_a_query_that_ran_into_its_limit_counts_as_failed(
    settings: Settings, gallery: Gallery, pool: Pool
) -> None:
    hasty = {"cache_strategy": "off", "statement_timeout_ms": 100}
    async with running(settings.model_copy(update=hasty)) as client, pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("LOCK TABLE content_items")
            assert (await client.get(UNIFIED)).status_code == 504
        assert await _figure(client, "pinakes_engine_seconds_count", engine="failed") == 1


async def test_what_is_stored_of_a_slow_query_names_nobody(
    settings: Settings, gallery: Gallery, token: Tokens, pool: Pool
) -> None:
    every = {"slow_query_ms": 1, "statement_timeout_ms": 60_000}
    async with running(settings.model_copy(update=every)) as client:
        asked = {"tags_all": "secret", "creator_filter": "user"}
        assert (await client.get(UNIFIED, params=asked, headers=token(ADA))).json()["pagination"]["total_count"] == 1
    now = datetime.now(UTC)
    async with pool.acquire() as connection:
        found = await read_slowest(connection, now - timedelta(hours=1), now + timedelta(hours=1))
        history = await read_history(connection, now - timedelta(hours=1), now + timedelta(hours=1))
    assert [one.query for one in found] == ['{"creator_filter":"user","tags_all":["secret"]}']
    assert history.reads == 1
    assert history.repetition == 0


def test_every_family_of_the_table_can_be_told() -> None:
    histogram = Histogram()
    histogram.add(0.015)
    samples = [
        (family.name, tuple("x" for _ in family.labels), histogram if family.kind == "histogram" else 1.0)
        for family in FAMILIES
    ]
    told = {family.name for family in text_string_to_metric_families(exposition(samples).decode())}
    assert told == {family.name for family in FAMILIES}


async def test_every_memory_is_told_with_its_bound(client: httpx.AsyncClient) -> None:
    await client.get("/api/v1/content/unified", params={"q": "sunset or castle"})
    await client.get("/api/v1/content/unified", params={"q": "sunset or castle"})
    text = (await client.get("/metrics")).text
    figures: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("pinakes_memory_"):
                figures.setdefault(sample.name, {})[sample.labels["memory"]] = sample.value
    names = {"questions", "queries", "meanings", "vocabularies", "samples", "filters", "tokens", "answers", "bitmaps"}
    assert names | {"tag names", "encodings", "parameters"} <= figures["pinakes_memory_bytes"].keys()
    for name, held in figures["pinakes_memory_bytes"].items():
        assert held <= figures["pinakes_memory_limit_bytes"][name], name
    assert figures["pinakes_memory_entries"]["questions"] > 0
    assert figures["pinakes_memory_entries"].keys() == figures["pinakes_memory_evictions_total"].keys()
