"""From settings to settings whose servers answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pinakes.embedded.servers import EmbeddedServers
from pinakes.errors import StoreUnavailable
from pinakes.settings import Settings

# PostgreSQL's log grows by segments of 16 MB.
LOG_SEGMENTS = 32 << 20


@asynccontextmanager
async def connected(settings: Settings, *, on_status: Callable[[str], None] | None = None) -> AsyncIterator[Settings]:
    """The settings with URLs and keys filled in, for as long as the context lasts.

    With a `database_url` nothing is started: what is not set then stays unset, and no Redis means no
    cache. Without one the embedded servers of `data_dir` run; a Redis that is set still wins, and so
    do keys, and a JWKS file leaves no embedded token secret beside it. An embedded server that was
    killed meanwhile is started again.
    """
    if settings.database_url is not None:
        yield settings.model_copy(update={"redis_url": settings.redis_address()})
        return
    async with await EmbeddedServers.start(
        settings.data_dir,
        on_status=on_status,
        redis_max_memory=settings.redis_max_memory,
        redis_eviction_policy=settings.redis_eviction_policy,
    ) as servers:
        watch = asyncio.ensure_future(servers.watch())
        own_tokens = settings.jwt_secret is None and settings.jwt_jwks_file is None
        try:
            yield settings.model_copy(
                update={
                    "database_url": servers.database_url,
                    "redis_url": settings.redis_address() or servers.redis_url_for(settings.redis_db),
                    "jwt_secret": servers.secrets.jwt_secret if own_tokens else settings.jwt_secret,
                    "cursor_secret": settings.cursor_secret or servers.secrets.cursor_secret,
                }
            )
        except StoreUnavailable:
            # A PostgreSQL that cannot write its log stops, and says why only there.
            servers.directory.require_space(LOG_SEGMENTS, "PostgreSQL stopped: it")
            raise
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
