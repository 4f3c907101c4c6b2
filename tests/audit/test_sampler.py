"""The audit that goes on beside serving."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.application import Gallery, running
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.worker.loop import running as worker

URL = "/api/v1/content/unified?tag_names=sunset"


async def _figures(client: httpx.AsyncClient) -> dict[str, float]:
    told = (await client.get("/metrics")).text
    families = text_string_to_metric_families(told)
    return {sample.name: sample.value for family in families for sample in family.samples if "audit" in sample.name}


async def _audited(client: httpx.AsyncClient, more_than: float) -> dict[str, float]:
    """The figures once another answer was audited."""
    async with asyncio.timeout(120):
        while True:
            await client.get(URL)
            figures = await _figures(client)
            if figures["pinakes_audit_answers_total"] > more_than:
                return figures
            await asyncio.sleep(0.02)


async def test_right_answers_are_counted_and_a_wrong_one_is_told(
    settings: Settings, gallery: Gallery, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    changed: dict[str, Any] = {"audit_one_in": 1, "cache_timeout_ms": 1000, "cache_budget_ms": 4000}
    chosen = settings.model_copy(update=changed)
    async with worker(chosen), running(chosen) as client:
        figures = await _audited(client, 2)
        assert figures["pinakes_audit_contradictions_total"] == 0
        # A change that no trigger, no epoch and no clock knows of.
        await pool.execute("UPDATE unified_content_with_tags SET title = 'damaged'")
        async with asyncio.timeout(120):
            while not figures["pinakes_audit_contradictions_total"]:
                figures = await _audited(client, figures["pinakes_audit_answers_total"])
        assert "a wrong answer was given to" in caplog.text


async def test_nothing_is_audited_unless_asked_for(settings: Settings, gallery: Gallery) -> None:
    async with running(settings) as client:
        for _ in range(5):
            await client.get(URL)
        assert set((await _figures(client)).values()) == {0}
