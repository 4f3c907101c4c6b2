"""`pinakes migrate`: bring the database to the schema this version needs."""

from __future__ import annotations

import click

from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.settings import Settings
from pinakes.store import migrate as store
from pinakes.store.bulk_seal import seal_unfinished
from pinakes.store.pool import open_pool
from pinakes.store.roles import APP, READER, make_roles


@click.command()
@click.option(
    "--to", "target", default="head", show_default=True, help="Revision to go to, up or down; `base` is none."
)
@click.option("--roles", is_flag=True, help="Also make the roles pinakes_app and pinakes_reader; docs/db.md has more.")
@connection_options
def command(settings: Settings, target: str, roles: bool) -> None:
    """Bring the database to the schema this version needs.

    Going down removes tables with all they hold. Several migrations at once wait for each other.
    """
    run_async(_migrate(settings, target, roles=roles))


async def _migrate(settings: Settings, target: str, *, roles: bool) -> None:
    async with connected(settings, on_status=status) as live:
        assert live.database_url is not None
        applied = await store.migrate(live.database_url, target)
        for revision in applied:
            click.echo(f"migrated {revision}")
            for line in await store.told(live.database_url, revision):
                click.echo(f"  {line}")
        if target == "head":
            pool = await open_pool(live, max_size=2)
            try:
                await seal_unfinished(pool, status)
                if roles:
                    async with pool.acquire() as connection:
                        await make_roles(connection)
                    click.echo(f"{APP} and {READER} are granted what they need")
            finally:
                await pool.close()
        click.echo(f"The schema is at {await store.current(live.database_url) or 'base'}.")
