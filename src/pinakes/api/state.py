"""What the routes of one application share, opened and closed with it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain, repeat

from redis.asyncio import Redis
from starlette.requests import Request

from pinakes.api.announce import Announcer
from pinakes.api.auth import ADMIN, Authenticator, Identity
from pinakes.api.connections import Connections
from pinakes.api.limits import RateLimit
from pinakes.api.params import QueryParser
from pinakes.audit.sampler import Sampler
from pinakes.cache.core import ResultCache
from pinakes.cache.options import Options
from pinakes.cache.report import check
from pinakes.errors import Forbidden, NotAuthenticated, StoreError, StoreUnavailable
from pinakes.figures.journal import Journal
from pinakes.figures.recorder import Recorder
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.fitness import Access
from pinakes.store.migrate import require_head
from pinakes.store.pool import BoundedPool, Pool, open_pool, translate_errors
from pinakes.view.wait import Bell

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between looks for a PostgreSQL that is not there yet; the last one again and again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """The parts of one application."""

    settings: Settings
    authenticator: Authenticator
    parser: QueryParser
    pool: BoundedPool
    service: ContentService
    redis: Redis | None
    announcer: Announcer
    rate_limit: RateLimit
    audit: Sampler
    connections: Connections | None = None


@asynccontextmanager
async def open_state(settings: Settings, connections: Connections | None = None) -> AsyncIterator[State]:
    """Connects to the databases.

    A PostgreSQL that is not there yet is waited for in the background; until then every answer that
    needs it is 503, and `/readyz` says so.

    Raises:
        SettingsError: a key or secret is missing or cannot be read.
        SchemaMismatch: the schema is not this version's.
    """
    authenticator = Authenticator(settings)
    async with AsyncExitStack() as stack:
        pool = await _pool(settings, stack)
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
        stack.push_async_callback(service.close)
        service.start()
        settling = asyncio.create_task(_settle(service), name="out of the way of garbage collection")
        stack.callback(settling.cancel)
        announcer = Announcer(settings)
        stack.push_async_callback(announcer.stop)
        parser, rate_limit = QueryParser(settings), RateLimit(settings)
        audit = Sampler(service, settings.audit_one_in)
        stack.push_async_callback(audit.stop)
        if connections is not None:
            connections.start()
            stack.callback(connections.stop)
        yield State(settings, authenticator, parser, pool, service, client, announcer, rate_limit, audit, connections)


async def _settle(service: ContentService) -> None:
    """Takes what a process holds for good out of garbage collection, which would stop it for 20 ms to look at it."""
    await service.settled()
    gc.freeze()


async def _pool(settings: Settings, stack: AsyncExitStack) -> BoundedPool:
    """A pool on a database of our schema, or on one that is still to come."""
    try:
        pool = await open_pool(settings)
    except StoreUnavailable as error:
        _log.warning("%s; every answer is 503 until it is there", error.detail)
        pool = await open_pool(settings, lazy=True)
        stack.push_async_callback(pool.close)
        watch = asyncio.create_task(_until_there(pool), name="waiting for PostgreSQL")
        stack.callback(watch.cancel)
        return pool
    stack.push_async_callback(pool.close)
    await require_head(pool, Access.WRITE)
    return pool


async def _until_there(pool: Pool) -> None:
    """Says in the log when the database is there, and what is wrong with it until then."""
    for pause in chain(PAUSES_S, repeat(PAUSES_S[-1])):
        await asyncio.sleep(pause)
        try:
            with translate_errors():
                await require_head(pool, Access.WRITE)
        except StoreError as error:
            _log.warning("still not ready: %s", error.detail)
        else:
            _log.info("PostgreSQL is there, with the schema that is needed")
            return


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


def may_see_statistics(request: Request) -> None:
    """Returns where statistics are for everybody, or the caller administers.

    Raises:
        NotAuthenticated, Forbidden: they are not, and the caller does not.
    """
    if state_of(request).settings.stats_public:
        identity_of(request)  # a token that is not acceptable is an error everywhere
    else:
        must_administer(request)


def must_administer(request: Request) -> int:
    """The caller, where they administer.

    Raises:
        NotAuthenticated, Forbidden: they do not.
    """
    identity = identity_of(request)
    if identity.user_id is None:
        raise NotAuthenticated("This needs a bearer token.")
    if ADMIN not in identity.scopes:
        raise Forbidden(f"This needs the scope {ADMIN}.", allowed=[ADMIN], hint=f"Ask for a token with scope {ADMIN}.")
    return identity.user_id


def user_of(request: Request) -> int | None:
    """The user in whose name `request` is worked on, by its token or by the session that its page has looked at."""
    if "authorization" in request.headers:
        return identity_of(request).user_id
    visitor = getattr(request.state, "visitor", None)
    return None if visitor is None else visitor.id


def identity_of(request: Request) -> Identity:
    """Who sent `request`.

    Raises:
        NotAuthenticated: its token is not acceptable.
    """
    return state_of(request).authenticator.identify(request.headers.get("authorization"))
