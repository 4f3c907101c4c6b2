"""The load against the real application, under each web server it is compared on."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.application import ADA, NAMES, Gallery
from api.conftest import gallery
from pinakes.api.auth import make_token
from pinakes.bench.load.compare import MEMORY, PAGE
from pinakes.bench.load.run import Plan, Target
from pinakes.bench.load.servers import Server, installed, serving
from pinakes.settings import Settings
from pinakes.store.pool import Pool

__all__ = ["gallery"]


@pytest.mark.parametrize("server", installed())
async def test_reads_writes_and_the_yardstick_are_answered(
    settings: Settings, gallery: Gallery, pool: Pool, tmp_path: Path, server: Server
) -> None:
    body = tmp_path / "body"
    body.write_bytes(b'{"from":"memory"}')
    token = make_token(settings, ADA, NAMES[ADA], ("content:write",), 60)
    plan = Plan(seconds=0.5, connections=4, questions=20, writes_per_s=20.0, token=token)
    async with serving(settings, body, server) as url:
        target = Target(url, plan)
        await target.prepare()
        step = await target.step(40.0)
        assert (step.sent, step.errors) == (20, 0)
        assert set(step.caches) <= {"HIT", "MISS", "STALE", "DEGRADED"}
        assert target.last_writes is not None
        assert target.last_writes.errors == 0
        for path in (MEMORY, PAGE):
            alone = Target(url, Plan(seconds=0.5, connections=4))
            await alone.prepare([path])
            assert (await alone.step(40.0)).errors == 0
    assert await pool.fetchval("SELECT count(*) FROM content_items") == 1, "what was written is deleted again"
