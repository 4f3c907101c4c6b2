"""`pinakes serve`: the web server on a database that is there already."""

from __future__ import annotations

import asyncio
import secrets

import click

from pinakes.cli import web
from pinakes.cli.children import Children
from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.errors import StoreUnavailable
from pinakes.settings import Settings
from pinakes.store.bulk_seal import seal_unfinished
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool, translate_errors

PAUSE_S = 2.0
"""Between looks for a database that is not there yet."""


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any free one.  [default: 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Web server processes.  [default: 1]")
@connection_options
def command(settings: Settings, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the gallery of a database until Ctrl-C.

    The schema must be the one this version needs: run `pinakes migrate` first. A database that is not
    there yet is waited for; until it is, every answer is 503. On Ctrl-C or SIGTERM, requests begun are
    still answered.
    """
    given = {"host": host, "port": port, "workers": workers}
    chosen = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    run_async(_serve(chosen), exit_code=0)


async def _serve(settings: Settings) -> None:
    address = web.resolve(settings.host)
    claimed = await web.claim_port(address, settings.port)
    port = claimed.getsockname()[1]
    with claimed:
        async with connected(settings, on_status=status) as live:
            there = await _prepared(live)
            if live.cursor_secret is None:
                status("cursor-secret is not set: cursors will end with this process")
            cursor_secret = live.cursor_secret or secrets.token_urlsafe(48)
            update = {"host": address, "port": port, "cursor_secret": cursor_secret}
            async with Children(live.model_copy(update=update)) as children:
                claimed.close()
                await web.serving(children, address, port)
                click.echo(f"Serving at {web.url(address, port)} (Ctrl-C ends it)")
                await _watch(children, live, there=there)


async def _prepared(settings: Settings) -> bool:
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
            await require_head(pool)
            await seal_unfinished(pool, status)
    except StoreUnavailable as error:
        status(f"{error.detail}; answering 503 until it is there")
        return False
    finally:
        await pool.close()
    return True


async def _watch(children: Children, settings: Settings, *, there: bool) -> None:
    """Returns never; raises what ends the service, a database of another schema too."""
    watch = asyncio.ensure_future(children.watch())
    waiting = asyncio.ensure_future(_until_prepared(settings, there=there))
    try:
        done, _ = await asyncio.wait({watch, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
        await watch
    finally:
        for task in (watch, waiting):
            task.cancel()
        await asyncio.gather(watch, waiting, return_exceptions=True)


async def _until_prepared(settings: Settings, *, there: bool) -> None:
    while not there:
        await asyncio.sleep(PAUSE_S)
        there = await _prepared(settings)
