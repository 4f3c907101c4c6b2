"""What the routes of one application share, opened and closed with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.requests import Request

from pinakes.api.announce import Announcer
from pinakes.api.auth import Authenticator, Identity
from pinakes.api.params import QueryParser
from pinakes.cache.core import ResultCache
from pinakes.cache.options import Options
from pinakes.cache.report import check
from pinakes.figures.journal import Journal
from pinakes.figures.recorder import Recorder
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.migrate import require_head
from pinakes.store.pool import Pool, open_pool
from pinakes.view.wait import Bell

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """The parts of one application."""

    settings: Settings
    authenticator: Authenticator
    parser: QueryParser
    pool: Pool
    service: ContentService
    redis: Redis | None
    announcer: Announcer


@asynccontextmanager
async def open_state(settings: Settings) -> AsyncIterator[State]:
    """Connects to the databases.

    Raises:
        SettingsError: a key or secret is missing or cannot be read.
        StoreUnavailable: PostgreSQL does not answer.
        SchemaMismatch: its schema is not this version's.
    """
    authenticator = Authenticator(settings)
    async with AsyncExitStack() as stack:
        pool = await open_pool(settings)
        stack.push_async_callback(pool.close)
        await require_head(pool)
        cache = await _cache(settings)
        if cache is not None:
            stack.push_async_callback(cache.stop)
        client = _redis(settings)
        if client is not None:
            stack.push_async_callback(client.aclose)
        bell = await stack.enter_async_context(Bell.listening(settings))
        figures = Recorder(settings.slow_query_ms)
        journal = Journal(pool, figures, settings)
        stack.push_async_callback(journal.stop)
        journal.start()
        service = ContentService(pool, settings, cache, bell, figures)
        announcer = Announcer(settings)
        stack.push_async_callback(announcer.stop)
        yield State(settings, authenticator, QueryParser(settings), pool, service, client, announcer)


async def _cache(settings: Settings) -> ResultCache | None:
    """The result cache, where there is a Redis for it; whether that answers shows later, and changes."""
    address = settings.redis_address()
    if address is None or settings.cache_strategy == "off":
        return None
    cache = ResultCache(address, settings.database_url, Options.of(settings))
    await cache.start()
    for advice in await check(cache):
        _log.warning("%s", advice)
    return cache


def _redis(settings: Settings) -> Redis | None:
    """A client, which connects when first used; Redis may be down and everything still be answered."""
    address = settings.redis_address()
    if address is None:
        return None
    return Redis.from_url(address, socket_connect_timeout=1, socket_timeout=1)


def state_of(request: Request) -> State:
    """The shared parts of the application that received `request`."""
    state: State = request.app.state.pinakes
    return state


def identity_of(request: Request) -> Identity:
    """Who sent `request`.

    Raises:
        NotAuthenticated: its token is not acceptable.
    """
    return state_of(request).authenticator.identify(request.headers.get("authorization"))
