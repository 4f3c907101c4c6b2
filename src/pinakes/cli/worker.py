"""`pinakes worker`: keeps the read model up to date. Run as a module, it is a child of another command."""

from __future__ import annotations

import logging

import click

from pinakes.cli.common import connection_options, run_async, status
from pinakes.cli.lifeline import end_with_parent
from pinakes.embedded import connected
from pinakes.settings import Settings
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool
from pinakes.worker.main import main, work


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
        pool = await open_pool(live, max_size=1)
        try:
            await require_head(pool)
        finally:
            await pool.close()
        click.echo("Keeping the read model (Ctrl-C ends it)", err=True)
        await work(live)


if __name__ == "__main__":
    end_with_parent()
    main()
