"""`pinakes serve`: the web server on a database that is there already."""

from __future__ import annotations

import secrets

import click

from pinakes.cli import web
from pinakes.cli.children import Children
from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.settings import Settings
from pinakes.store.bulk_seal import seal_unfinished
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any free one.  [default: 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Web server processes.  [default: 1]")
@connection_options
def command(settings: Settings, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the gallery of a database until Ctrl-C.

    The schema must be the one this version needs: run `pinakes migrate` first.
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
            pool = await open_pool(live, max_size=1)
            try:
                await require_head(pool)
                await seal_unfinished(pool, status)
            finally:
                await pool.close()
            if live.cursor_secret is None:
                status("cursor-secret is not set: cursors will end with this process")
            cursor_secret = live.cursor_secret or secrets.token_urlsafe(48)
            update = {"host": address, "port": port, "cursor_secret": cursor_secret}
            async with Children(live.model_copy(update=update)) as children:
                claimed.close()
                await web.serving(children, address, port)
                click.echo(f"Serving at {web.url(address, port)} (Ctrl-C ends it)")
                await children.watch()
