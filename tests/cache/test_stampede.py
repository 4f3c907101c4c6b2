"""Single flight: in one process, over several, and when the one who computes dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest_asyncio

from cache.caching import until
from cache.site_workers import Site, open_site
from pinakes.cache.flight import Flights
from pinakes.cache.link import Link
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import Settings

HERE = Path(__file__).resolve().parent


@pytest_asyncio.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with open_site(settings) as opened:
        yield opened


@asynccontextmanager
async def process(settings: Settings, askers: int, engine_seconds: float) -> AsyncIterator[Process]:
    """A process that is ready to ask."""
    told = {n: getattr(settings, n) for n in ("database_url", "redis_url", "cursor_secret", "jwt_secret")}
    command = [sys.executable, str(HERE / "stampede.py"), orjson.dumps(told).decode(), str(askers), str(engine_seconds)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    running = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
    try:
        assert running.stdout is not None
        assert await running.stdout.readline() == b"ready\n"
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


def tell(running: Process) -> None:
    assert running.stdin is not None
    running.stdin.write(b"now\n")


async def report(running: Process) -> tuple[dict[str, int], int]:
    assert running.stdout is not None
    counts, bodies = orjson.loads(await running.stdout.readline())
    return counts, bodies


async def runs(link: Link) -> int:
    return int(await link.call("GET", "engine") or 0)


async def engine_ran(link: Link, times: int) -> None:
    deadline = time.monotonic() + 20
    while await runs(link) < times:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_a_thousand_misses_over_four_processes_run_the_engine_once(site: Site) -> None:
    link = Link(site.settings.redis_url or "", limit_ms=2000)
    async with (
        process(site.settings, 250, 0.3) as a,
        process(site.settings, 250, 0.3) as b,
        process(site.settings, 250, 0.3) as c,
        process(site.settings, 250, 0.3) as d,
    ):
        for one in (a, b, c, d):
            tell(one)
        reports = [await report(one) for one in (a, b, c, d)]
    assert sum(sum(counts.values()) for counts, _ in reports) == 1000
    assert [bodies for _, bodies in reports] == [1, 1, 1, 1]
    assert await runs(link) == 1
    await link.close()


async def test_another_takes_over_within_a_second_from_one_that_was_killed(site: Site) -> None:
    link = Link(site.settings.redis_url or "", limit_ms=2000)
    async with process(site.settings, 5, 60) as holder, process(site.settings, 5, 0) as other:
        tell(holder)
        await engine_ran(link, 1)
        tell(other)
        await asyncio.sleep(0)
        holder.send_signal(signal.SIGKILL)
        began = time.monotonic()
        await engine_ran(link, 2)
        # The lease is 600 ms; the rest is for two cores that do other things too.
        assert time.monotonic() - began < 1.0
        counts, _ = await report(other)
        assert sum(counts.values()) == 5
    await link.close()


async def test_in_one_process_they_share_one_computation(site: Site) -> None:
    worker = await site.start_worker()
    await worker.trusted()
    answers = await asyncio.gather(*(worker.ask(GalleryQuery(tags_all=(3,))) for _ in range(300)))
    assert worker.service.computed == 1
    assert len({id(answer.entry) for answer in answers}) == 1


async def test_an_asker_that_gives_up_stops_nobody_else(site: Site) -> None:
    worker = await site.start_worker()
    await worker.trusted()
    gate = asyncio.Event()
    worker.service.before_read = gate.wait
    first = asyncio.create_task(worker.ask(GalleryQuery(tags_all=(3,))))
    await until(lambda: worker.service.computed > 0)
    second = asyncio.create_task(worker.ask(GalleryQuery(tags_all=(3,))))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert (await second).entry.length > 0
    assert worker.service.computed == 1


async def test_a_failure_is_told_to_who_began_and_tried_again_by_who_waited() -> None:
    flights: Flights[int] = Flights()
    tries = 0
    gate = asyncio.Event()

    async def work() -> int:
        nonlocal tries
        tries += 1
        await gate.wait()
        if tries == 1:
            raise ValueError("the first")
        return tries

    askers = [asyncio.create_task(flights.share(b"k", work, lambda _: True)) for _ in range(3)]
    await until(lambda: tries > 0)
    gate.set()
    results = await asyncio.gather(*askers, return_exceptions=True)
    assert isinstance(results[0], ValueError)
    assert results[1:] == [(2, True), (2, True)]


async def test_what_nobody_can_judge_is_computed_for_who_asked_before_it_began() -> None:
    flights: Flights[int] = Flights()
    begun = asked = 0
    gates = [asyncio.Event(), asyncio.Event()]

    async def work() -> int:
        nonlocal begun
        begun += 1
        mine = begun
        await gates[mine - 1].wait()
        return mine

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return (await flights.share(b"k", work, lambda _: False))[0]

    first = asyncio.create_task(ask())
    await until(lambda: begun == 1)
    rest = [asyncio.create_task(ask()) for _ in range(100)]
    await until(lambda: asked == 101)
    gates[0].set()
    await until(lambda: begun == 2)
    gates[1].set()
    assert await first == 1
    assert set(await asyncio.gather(*rest)) == {2}
    assert begun == 2


async def test_a_computation_that_has_just_ended_serves_nobody_who_asks_afterwards() -> None:
    """Between a task's end and its being struck off the list, others may run."""
    flights: Flights[int] = Flights()
    begun = 0
    asked: list[asyncio.Task[tuple[int, bool]]] = []

    async def ask() -> tuple[int, bool]:
        return await flights.share(b"k", work, lambda _: False)

    async def work() -> int:
        nonlocal begun
        begun += 1
        if begun == 1:  # scheduled before this task's end is announced, so it runs in between
            asked.append(asyncio.create_task(ask()))
        return begun

    assert await ask() == (1, False)
    assert (await asked[0])[0] == 2
