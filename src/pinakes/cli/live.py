"""Live: settings whose database answers and has our schema, for commands that open connections of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pinakes.cli.common import status
from pinakes.embedded import connected
from pinakes.settings import Settings
from pinakes.store.fitness import Access
from pinakes.store.migrate import migrate, require_head
from pinakes.store.pool import open_pool


@asynccontextmanager
async def live(
    settings: Settings, *, migrating: bool = False, on_status: Callable[[str], None] = status
) -> AsyncIterator[Settings]:
    """The settings to go on with. `migrating`: the embedded database, which nobody else looks after, is migrated."""
    async with connected(settings, on_status=on_status) as found:
        assert found.database_url is not None
        if migrating and settings.database_url is None:
            await migrate(found.database_url)
        pool = await open_pool(found, max_size=1)
        try:
            await require_head(pool, Access.OWN)
        finally:
            await pool.close()
        yield found
