"""`pinakes serve`: the web server on a database that is there already."""

from __future__ import annotations

import asyncio
import secrets

import click

from pinakes.cache.report import require_fit_redis
from pinakes.cli import web
from pinakes.cli.children import Children
from pinakes.cli.common import connection_options, run_async, status
from pinakes.cli.drain import Drain
from pinakes.embedded import connected
from pinakes.errors import StoreUnavailable
from pinakes.settings import Settings
from pinakes.store.bulk_seal import seal_unfinished
from pinakes.store.fitness import Access
from pinakes.store.migrate import require_head
from pinakes.store.pool import Pool, open_pool, translate_errors
from pinakes.view import reading
from pinakes.view.epoch import read_epoch

PAUSE_S = 2.0
"""Between looks for a database that is not there yet."""


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any free one.  [default: 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Web server processes.  [default: 1]")
@click.option("--worker", is_flag=True, help="Run a worker beside it, which keeps the read model and its index.")
@connection_options
def command(settings: Settings, host: str | None, port: int | None, workers: int | None, worker: bool) -> None:
    """Serve the gallery of a database until Ctrl-C.

    The schema must be the one this version needs: run `pinakes migrate` first. A database that is not
    there yet is waited for; until it is, every answer is 503. On Ctrl-C or SIGTERM, requests begun are
    still answered; with drain-delay-seconds, new ones too for so long, while /readyz fails. Without
    `--worker`, a `pinakes worker` should run somewhere: a read model that nobody keeps is not read once
    it is too old, and answers come from the tables.
    """
    given = {"host": host, "port": port, "workers": workers}
    chosen = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    run_async(_serve(chosen, with_worker=worker), exit_code=0)


async def _serve(settings: Settings, *, with_worker: bool) -> None:
    address = web.resolve(settings.host)
    claimed = await web.claim_port(address, settings.port)
    port = claimed.getsockname()[1]
    with claimed:
        async with connected(settings, on_status=status) as live:
            await require_fit_redis(live)
            there = await _prepared(live, with_worker=with_worker)
            if live.cursor_secret is None:
                status("cursor-secret is not set: cursors will end with this process")
            cursor_secret = live.cursor_secret or secrets.token_urlsafe(48)
            update = {"host": address, "port": port, "cursor_secret": cursor_secret}
            served = live.model_copy(update=update)
            with Drain(live.drain_delay_seconds) as drain:
                async with Children(served, extra=drain.environment()) as children:
                    if with_worker:
                        await children.start("worker", "pinakes.cli.worker", kept=True)
                    claimed.close()
                    await web.serving(children, address, port)
                    click.echo(f"Serving at {web.url(address, port)} (Ctrl-C ends it)")
                    await drain.after(_watch(children, live, there=there, with_worker=with_worker), children.release)


async def _prepared(settings: Settings, *, with_worker: bool) -> bool:
    """Whether the database is there; then it is one to be served.

    Raises:
        SchemaMismatch: it is not.
    """
    try:
        pool = await open_pool(settings, max_size=1)
    except StoreUnavailable as error:
        status(f"{error.detail}; answering 503 until it is there")
        return False
    try:
        with translate_errors():
            await require_head(pool, Access.WRITE)
            await seal_unfinished(pool, status)
            if not with_worker:
                await _warn(pool, settings)
    except StoreUnavailable as error:
        status(f"{error.detail}; answering 503 until it is there")
        return False
    finally:
        await pool.close()
    return True


async def _warn(pool: Pool, settings: Settings) -> None:
    """Says so where nobody keeps the read model."""
    async with pool.acquire() as connection:
        state = await read_epoch(connection)
    if state.policy is None:
        click.echo(f"There is no read model, so answers come from the tables: {reading.MEND} to have one.", err=True)
    elif (said := reading.warning(settings, state)) is not None:
        click.echo(said, err=True)


async def _watch(children: Children, settings: Settings, *, there: bool, with_worker: bool) -> None:
    """Returns never; raises what ends the service, a database of another schema too."""
    watch = asyncio.ensure_future(children.watch())
    waiting = asyncio.ensure_future(_until_prepared(settings, there=there, with_worker=with_worker))
    try:
        done, _ = await asyncio.wait({watch, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
        await watch
    finally:
        for task in (watch, waiting):
            task.cancel()
        await asyncio.gather(watch, waiting, return_exceptions=True)


async def _until_prepared(settings: Settings, *, there: bool, with_worker: bool) -> None:
    while not there:
        await asyncio.sleep(PAUSE_S)
        there = await _prepared(settings, with_worker=with_worker)
