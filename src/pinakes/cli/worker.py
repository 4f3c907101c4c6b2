"""`pinakes worker`: keeps the read model up to date. Run as a module, it is a child of another command."""

from __future__ import annotations

import asyncio
import logging

import click

from pinakes.cli.common import connection_options, run_async, status
from pinakes.cli.lifeline import end_with_parent
from pinakes.embedded import connected
from pinakes.errors import StoreUnavailable
from pinakes.settings import Settings
from pinakes.store.fitness import Access
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool, translate_errors
from pinakes.worker.main import main, work

PAUSE_S = 2.0
"""Between looks for a database that is not there yet."""


@click.command()
@connection_options
def command(settings: Settings) -> None:
    """Keep the read model up to date until Ctrl-C.

    Any number of workers may run; they take turns. The first one builds the read model. How it is
    kept says the setting view-policy, or `pinakes view policy`.
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run_async(_work(settings), exit_code=0)


async def _work(settings: Settings) -> None:
    async with connected(settings, on_status=status) as live:
        while not await _there(live):  # noqa: ASYNC110 - it is another program that gets ready
            await asyncio.sleep(PAUSE_S)
        click.echo("Keeping the read model (Ctrl-C ends it)", err=True)
        await work(live)


async def _there(settings: Settings) -> bool:
    """Whether the database is there; then it is one to be kept.

    Raises:
        SchemaMismatch: it is not.
    """
    try:
        pool = await open_pool(settings, max_size=1)
        try:
            with translate_errors():
                await require_head(pool, Access.OWN)
        finally:
            await pool.close()
    except StoreUnavailable as error:
        status(f"{error.detail}; waiting for it")
        return False
    return True


if __name__ == "__main__":
    end_with_parent()
    main()
