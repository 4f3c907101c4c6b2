"""Describes the newest schema: migrates a new database and writes what is there to `store/declared.jsonl`.

    python -m pinakes.cli.describe

A test holds the file true; a migration brings a new one (`make schema`).
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from pinakes.embedded import EmbeddedServers
from pinakes.settings import load_settings
from pinakes.store import catalogue
from pinakes.store.migrate import migrate, revisions
from pinakes.store.pool import open_pool


async def describe() -> bytes:
    """The text of the description."""
    with tempfile.TemporaryDirectory(prefix="pinakes-schema-") as folder:
        async with await EmbeddedServers.start(Path(folder) / "data") as servers:
            await migrate(servers.database_url)
            pool = await open_pool(load_settings(database_url=servers.database_url), max_size=1)
            try:
                async with pool.acquire() as connection:
                    return catalogue.described(revisions()[-1], await catalogue.objects(connection))
            finally:
                await pool.close()


if __name__ == "__main__":
    target = Path(str(catalogue.FILE))
    target.write_bytes(asyncio.run(describe()))
    click.echo(f"{target.name} describes revision {revisions()[-1]}")
