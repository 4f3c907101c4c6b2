"""A service told to end fails `/readyz` for a while and answers everything else, so that nobody is turned away."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import psutil

from api.application import ADA, Gallery, Tokens, assert_problem
from api.serving import PATIENCE_S, URL, ready, serve, until_nobody_is_let_in, until_somebody_waits
from api.test_server import free_port
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from running import command_line

LONG_S = 600.0
"""A delay no test waits for: a second signal ends it."""


async def test_what_comes_while_draining_is_answered_and_a_second_signal_ends_it(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """Readiness fails with its own code; a write begun in the delay is finished after it."""
    patient = settings.model_copy(update={"statement_timeout_ms": 60_000, "drain_delay_seconds": LONG_S, "workers": 2})
    item = f"/api/v1/content/regular/{gallery.public.id}"
    async with serve(patient) as (process, url, _), httpx.AsyncClient(base_url=url, timeout=60) as client:
        await ready(client, 200)
        process.send_signal(signal.SIGTERM)
        await ready(client, 503)
        for _ in range(20):  # each a connection of its own, so both web processes are asked
            async with httpx.AsyncClient(base_url=url, timeout=60) as another:
                assert_problem(await another.get("/readyz"), 503, "PK708")
                assert (await another.get("/healthz")).status_code == 200
                assert (await another.get(URL)).json()["pagination"]["total_count"] == 2
        async with pool.acquire() as blocker, blocker.transaction():
            await blocker.execute("SELECT FROM content_items WHERE id = $1 FOR UPDATE", gallery.public.id)
            write = asyncio.create_task(
                client.patch(item, json={"title": "Last words"}, headers=token(ADA, "content:write"))
            )
            await until_somebody_waits(settings)
            process.send_signal(signal.SIGTERM)
            await until_nobody_is_let_in(url)
            assert not write.done()
        assert (await write).json()["title"] == "Last words"
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


async def test_the_delay_ends_by_itself(settings: Settings, gallery: Gallery) -> None:
    short = settings.model_copy(update={"drain_delay_seconds": 1.5})
    async with serve(short) as (process, url, said), httpx.AsyncClient(base_url=url, timeout=60) as client:
        process.send_signal(signal.SIGTERM)
        await ready(client, 503)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
        assert process.stdout is not None
        assert "Draining for 1.5 s" in "".join(said) + (await process.stdout.read()).decode()


async def test_a_service_that_fails_while_draining_is_not_waited_for(settings: Settings, gallery: Gallery) -> None:
    """Its web server is gone: nobody is left to be answered."""

    async with serve(settings.model_copy(update={"drain_delay_seconds": LONG_S})) as (process, url, _):
        web = [each for each in psutil.Process(process.pid).children() if "pinakes.cli.web" in command_line(each)]
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            process.send_signal(signal.SIGTERM)
            await ready(client, 503)
        assert len(web) == 1
        web[0].kill()
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


class Balancer:
    """Sends each request once, to a server whose last probe was well, and asks without pause."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.out: set[int] = set()
        self.inside: Counter[int] = Counter()
        self.answered = 0
        self.broken: list[str] = []
        self.going = True

    async def probe(self) -> None:
        while self.going:
            for port in self.ports:
                try:
                    async with httpx.AsyncClient(timeout=60) as client:
                        fine = (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
                except httpx.HTTPError:
                    fine = False
                (self.out.discard if fine else self.out.add)(port)
            await asyncio.sleep(0.05)

    async def ask(self) -> None:
        turn = 0
        while self.going:
            turn += 1
            fit = [port for port in self.ports if port not in self.out]
            if not fit:
                await asyncio.sleep(0.02)
                continue
            port = fit[turn % len(fit)]
            self.inside[port] += 1
            try:
                async with httpx.AsyncClient(timeout=60) as client:
                    answer = await client.get(f"http://127.0.0.1:{port}{URL}")
                self.answered += answer.status_code == 200
                self.broken += [] if answer.status_code == 200 else [answer.text]
            except httpx.HTTPError as error:
                self.broken.append(repr(error))
            finally:
                self.inside[port] -= 1

    async def more(self) -> None:
        """Waits until ten more were answered."""
        at_least = self.answered + 10
        while self.answered < at_least and not self.broken:  # noqa: ASYNC110 - it is the others who ask
            await asyncio.sleep(0.02)


async def test_a_balancer_that_only_probes_loses_no_request_in_a_rolling_restart(
    settings: Settings, gallery: Gallery
) -> None:
    """Nothing is ever sent twice: a server that is not ready is asked nothing new, and that is enough."""
    drained = settings.model_copy(update={"drain_delay_seconds": LONG_S})
    balancer = Balancer([free_port(), free_port()])
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_S):
        running = [await stack.enter_async_context(serve(drained, port)) for port in balancer.ports]
        tasks = [asyncio.create_task(balancer.probe()), *(asyncio.create_task(balancer.ask()) for _ in range(4))]
        try:
            await balancer.more()
            for port, (process, _, _) in zip(balancer.ports, running, strict=True):
                process.send_signal(signal.SIGTERM)
                while port not in balancer.out or balancer.inside[port]:  # noqa: ASYNC110 - until it has noticed
                    await asyncio.sleep(0.02)
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
                await balancer.more()
                await stack.enter_async_context(serve(drained, port))
                while port in balancer.out:  # noqa: ASYNC110 - and noticed that it is back
                    await asyncio.sleep(0.02)
                await balancer.more()
        finally:
            balancer.going = False
            await asyncio.gather(*tasks)
    assert balancer.broken == []
