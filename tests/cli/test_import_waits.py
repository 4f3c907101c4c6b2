"""`pinakes import` ends when readers see what it imported, or says why they do not; what long work says of itself."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from import_files import ITEM, write
from pinakes.settings import Settings
from pinakes.store.activity import INDEX, LOADING, Activity, read_activities, tell, tell_no_more
from pinakes.store.pool import Pool
from pinakes.view import reading
from pinakes.view.epoch import read_epoch
from pinakes.view.session import session
from pinakes.view.status import read_status
from pinakes.worker.loop import running

SEEN = "SELECT count(*) FROM unified_content_with_tags"


async def run(settings: Settings, *arguments: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "pinakes.cli.main", "import", "--database-url", settings.database_url or ""),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_an_import_ends_when_readers_see_all_of_it(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path / "many.jsonl", [ITEM | {"id": str(n)} for n in range(3000)])
    slow = settings.model_copy(update={"epoch_batch": 100, "epoch_interval_ms": 200})
    async with running(slow):
        importing = await run(settings, file)
        _, told = await importing.communicate()
        assert importing.returncode == 0, told
        assert await pool.fetchval(SEEN) == 3000
        assert not await pool.fetchval("SELECT EXISTS (SELECT FROM dirty)")


async def test_an_import_says_that_nobody_keeps_the_read_model(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path / "one.jsonl", [ITEM])
    importing = await run(settings, file)
    _, told = await importing.communicate()
    assert importing.returncode == 0
    assert b"nobody keeps the read model" in told
    hurried = await run(settings, "--no-wait", file)
    _, told = await hurried.communicate()
    assert hurried.returncode == 0
    assert b"nobody keeps" not in told


async def test_whoever_ends_the_waiting_is_told_that_all_is_stored(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    file = write(tmp_path / "one.jsonl", [ITEM])
    async with session(settings):  # a worker's session, which does nothing
        importing = await run(settings, file)
        async with asyncio.timeout(60):
            while not await pool.fetchval("SELECT EXISTS (SELECT FROM import_progress WHERE finished)"):
                await pool.fetch("SELECT pg_sleep(0.05)")
            # It waits once its sessions have nothing else to do; the signal is repeated until it is heard there.
            while importing.returncode is None:
                await pool.fetch("SELECT pg_sleep(1)")
                importing.send_signal(signal.SIGINT)
                await pool.fetch("SELECT pg_sleep(1)")
        _, told = await importing.communicate()
    assert importing.returncode == 130
    assert b"Everything is stored" in told


async def test_work_under_way_is_told_instead_of_nobody_keeping_the_read_model(settings: Settings, pool: Pool) -> None:
    async with session(settings, "pinakes index") as worker, pool.acquire() as asking:
        known = await read_epoch(asking)
        old = replace(known, policy="incremental", at=known.now - timedelta(seconds=100))
        nobody = reading.warning(settings, old, await read_activities(asking))
        assert nobody is not None
        assert "nobody seems to keep it" in nobody
        await tell(worker, INDEX, 0.25)
        await tell(worker, INDEX, 0.5)
        doing = await read_activities(asking)
        assert [(each.what, each.share) for each in doing.under_way] == [(INDEX, 0.5)]
        said = reading.warning(settings, old, doing)
        assert said is not None
        assert f"{INDEX}, 50% done" in said
        assert "nobody" not in said
        assert (await read_status(asking, settings)).under_way == (f"{INDEX}, 50% done",)
        await tell_no_more(worker)
        assert (await read_activities(asking)).under_way == ()
        async with session(settings):
            busy = reading.warning(settings, old, await read_activities(asking))
        assert busy is not None
        assert "the worker is at work" in busy


def test_what_is_left_is_told_as_soon_as_it_can_be() -> None:
    assert str(Activity(LOADING, 0.25, 30)) == "loading items, 25% done, about 90 s left"
    assert str(Activity(LOADING, 0.0, 30)) == "loading items, 0% done"
