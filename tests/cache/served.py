"""A site behind the real application, called without a network in between, its cache trusted from the start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx

from cache.site_workers import Site, open_site
from pinakes.api.app import create_app
from pinakes.settings import Settings


def patient_site(settings: Settings) -> AbstractAsyncContextManager[Site]:
    """A site whose cache waits longer for Redis than a busy machine is late."""
    return open_site(settings.model_copy(update={"cache_timeout_ms": 1000, "cache_budget_ms": 4000}))


@asynccontextmanager
async def served(site: Site, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on `site`."""
    app = create_app(site.settings)
    async with app.router.lifespan_context(app):
        cache = app.state.pinakes.service.cache
        while not cache.mirror.trusted():
            await cache.mirror.look()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gallery", headers=headers) as opened:
            yield opened
