"""The application with two more routes to measure the cache by; served by the benchmark only.

    /bench/memory   the bytes of a file, from a variable
    /bench/redis    one GET through redis-py, and nothing else

PINAKES_BENCH_BODY names the file; Redis has the same under `bench:body`.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pinakes.api.app import create_app
from pinakes.settings import load_settings


def app() -> FastAPI:
    """Makes the application of this process."""
    settings = load_settings()
    made = create_app(settings)
    body = Path(os.environ["PINAKES_BENCH_BODY"]).read_bytes()
    client = Redis.from_url(settings.redis_address() or "")

    async def memory(_: Request) -> Response:
        return Response(body, media_type="application/json")

    async def redis(_: Request) -> Response:
        return Response(await client.get("bench:body"), media_type="application/json")

    made.router.routes[:0] = [Route("/bench/memory", memory), Route("/bench/redis", redis)]
    return made
