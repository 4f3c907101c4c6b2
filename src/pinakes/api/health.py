"""Health: `/healthz` says the process runs, `/readyz` says it can answer.

`/readyz` asks PostgreSQL, the schema version, and Redis where one is configured, each for a second
at most. Without Redis every answer is still given and still right, only not from the cache, and with a
read model that nobody keeps from the tables: that is `degraded`, and no reason to send nobody here any
more. Why a part is not ready stands in the log, not in the answer: it may name hosts.

A service that is about to end fails `/readyz` for a while before it does, and answers everything else:
while the file that `DRAIN_VARIABLE` names is there.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode
from pinakes.api.problem import problem_response
from pinakes.api.state import State, state_of
from pinakes.cache.report import health as cache_health
from pinakes.errors import Draining, MissingRow, PinakesError, StoreUnavailable
from pinakes.store.activity import read_activities
from pinakes.store.migrate import require_head
from pinakes.store.pool import translate_errors
from pinakes.view import reading
from pinakes.view.epoch import read_epoch

DRAIN_VARIABLE = "PINAKES_DRAIN_MARK"
PATIENCE_S = 1.0
_NEEDED = ("postgresql", "schema")

_log = logging.getLogger(__name__)


async def healthz(_: Request) -> Response:
    """The process runs."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """Every part this process needs is ready and it will go on, or 503 with the state of each."""
    if _draining():
        return problem_response(Draining())
    parts = await parts_of(state_of(request))
    failed = [name for name in _NEEDED if parts[name] != "ok"]
    if failed:
        return problem_response(await _refusal(state_of(request), failed, parts))
    warnings = await _warnings(state_of(request))
    status = "degraded" if warnings or "failed" in parts.values() else "ok"
    told = {"status": status, "parts": parts, "warnings": warnings}
    return Response(encode.to_json(told), media_type="application/json")


async def _refusal(state: State, failed: list[str], parts: dict[str, str]) -> PinakesError:
    """What is told of the parts that failed: of a lost row its repair, of all else that the log says why."""
    told, hint = f"Not ready: {', '.join(failed)}.", "The log says why."
    if failed == ["schema"]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _schema(state)
        except MissingRow as error:
            return MissingRow(f"{told} {error.detail}", parts=parts)
        except (PinakesError, OSError):
            pass
    return StoreUnavailable(told, hint=hint, parts=parts)


def _draining() -> bool:
    mark = os.environ.get(DRAIN_VARIABLE)
    return mark is not None and Path(mark).exists()


async def parts_of(state: State) -> dict[str, str]:
    """The state of each part."""
    checks: dict[str, Callable[[State], Awaitable[None]]] = {"postgresql": _postgresql, "schema": _schema}
    if state.redis is not None:
        checks["redis"] = _redis
    parts = dict(zip(checks, await asyncio.gather(*(_try(n, c, state) for n, c in checks.items())), strict=True))
    if state.service.cache is not None:
        parts["cache"] = str(cache_health(state.service.cache)["state"])
    return parts


async def _warnings(state: State) -> list[str]:
    """What slows answers down and is no failure."""
    try:
        with translate_errors():
            async with asyncio.timeout(PATIENCE_S), state.pool.acquire() as conn:
                said = reading.warning(state.settings, await read_epoch(conn), await read_activities(conn))
    except (PinakesError, TimeoutError) as error:
        said = f"The state of the read model could not be read: {type(error).__name__}."
    return [] if said is None else [said]


async def _try(name: str, check: Callable[[State], Awaitable[None]], state: State) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await check(state)
    except (PinakesError, RedisError, OSError, TimeoutError) as error:
        _log.warning("%s is not ready: %r", name, error)
        return "failed"
    return "ok"


async def _postgresql(state: State) -> None:
    with translate_errors():
        async with state.pool.acquire() as conn:
            await conn.fetchval("SELECT 1")


async def _schema(state: State) -> None:
    with translate_errors():
        await require_head(state.pool)


async def _redis(state: State) -> None:
    assert state.redis is not None
    await state.redis.ping()
