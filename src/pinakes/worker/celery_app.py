"""Celery: the same keeper, driven by tasks instead of a loop.

    python -P -m pinakes.worker.celery_app worker --beat

Not as `celery -A …`, which imports from the working directory before anywhere else.

| task | sent by | does |
|---|---|---|
| `refresh_when_due` | a write, and itself | policy `event`: refreshes if the debounce says so, else comes back |
| `keep` | beat, every `refresh-interval-seconds` | policy `periodic`: refreshes if anything is dirty |
| `look` | beat, every few seconds | policy `event`: finds writes nobody announced |

Messages carry no data. When a refresh is due follows from the dirty rows in PostgreSQL alone, so a
lost message costs seconds, a repeated one nothing. One key in Redis keeps a burst of a thousand
writes from sending a thousand messages.
"""

from __future__ import annotations

import asyncio
import sys
from functools import cache
from typing import Any

import redis
from celery import Celery

from pinakes.address import RedisAddress
from pinakes.settings import Settings, load_settings
from pinakes.view.keeper import Keeper
from pinakes.view.session import session

LOOK_S = 5.0
_PENDING = "pinakes:refresh:pending"


def broker_url(settings: Settings) -> str:
    """Where tasks are queued: the setting, or database 0 of the cache's Redis."""
    told = settings.celery_broker_url
    if told is not None:
        address = RedisAddress.parse(told) if told.startswith(("unix:", "valkey", "rediss:")) else None
        return told if address is None else _as_broker(address, address.db)
    return _as_broker(RedisAddress.parse(settings.redis_address() or "redis://127.0.0.1:6379"), 0)


def _as_broker(address: RedisAddress, db: int) -> str:
    """The address in Celery's form."""
    url = address.url(db)
    if address.path is not None:
        return f"redis+socket://{url.removeprefix('unix://').partition('?')[0]}?virtual_host={db}"
    if address.tls and "ssl_cert_reqs" not in address.files:
        url += f"{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    return url


@cache
def _settings() -> Settings:
    return load_settings()


def _make() -> Celery:
    settings = _settings()
    made = Celery("pinakes", broker=broker_url(settings))
    made.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        broker_connection_retry_on_startup=True,
        worker_prefetch_multiplier=1,
        beat_schedule={
            "keep": {"task": "pinakes.keep", "schedule": settings.refresh_interval_seconds},
            "look": {"task": "pinakes.look", "schedule": LOOK_S},
        },
    )
    return made


app = _make()


@app.task(name="pinakes.refresh_when_due")
def refresh_when_due() -> None:
    """Refreshes if it is due; else comes back when it will be."""
    _forget_pending()
    again = asyncio.run(_step("event"))
    if again is not None:
        announce(again)


@app.task(name="pinakes.keep")
def keep() -> None:
    """Refreshes if the policy is periodic and anything is dirty."""
    asyncio.run(_step("periodic"))


@app.task(name="pinakes.look")
def look() -> None:
    """Finds writes nobody announced."""
    refresh_when_due()


async def _step(policy: str) -> float | None:
    """One step of the keeper where `policy` is in force; seconds until the next, None where nothing waits."""
    keeper = Keeper(_settings())
    async with session(_settings()) as connection:
        return await keeper.refresh_if_due(connection, policy)


@cache
def _broker() -> redis.Redis:
    return redis.Redis.from_url(RedisAddress.parse(broker_url(_settings())).url())


def _forget_pending() -> None:
    _broker().delete(_PENDING)


def announce(delay_s: float | None = None) -> bool:
    """Queues a look at what is due, `delay_s` from now (by default the debounce); False where one is queued already.

    To be called after a write; blocks for a round trip to Redis.
    """
    delay = _settings().event_debounce_seconds if delay_s is None else delay_s
    expires_ms = int(max(delay, 0.0) * 1000) + 60_000
    if not _broker().set(_PENDING, b"1", nx=True, px=expires_ms):
        return False
    options: dict[str, Any] = {"countdown": max(delay, 0.0)}
    refresh_when_due.apply_async(**options)
    return True


if __name__ == "__main__":
    app.start(sys.argv[1:])
