"""The read model's routes: `GET /api/v1/stats/view`, `POST /api/v1/admin/view/refresh`, `GET /metrics`.

A refresh asked for with `wait=false` (the default) runs on in this process; asked again meanwhile,
it is the same one. Figures of the read model as metrics are read once in `METRICS_S` at most,
however often they are scraped.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params
from pinakes.api.auth import ADMIN
from pinakes.api.cache import exposition as cache_metrics
from pinakes.api.parameters import VIEW_REFRESH
from pinakes.api.state import State, identity_of, state_of
from pinakes.errors import Forbidden
from pinakes.index.deltas import DeltaWriter
from pinakes.store.pool import translate_errors
from pinakes.view.actions import Outcome, refresh_now
from pinakes.view.epoch import POLICIES
from pinakes.view.status import Status, read_status

STATS = "/api/v1/stats/view"
REFRESH = "/api/v1/admin/view/refresh"
METRICS = "/metrics"
METRICS_S = 5.0

_NO_STORE = {"cache-control": "no-store"}


async def stats(request: Request) -> Response:
    """The state of the read model; what `pinakes view status` shows."""
    params.read(request.scope["query_string"], (), state_of(request).settings)
    found = await _status(state_of(request))
    return Response(encode.to_json(found.as_dict()), headers=_NO_STORE, media_type="application/json")


async def refresh(request: Request) -> Response:
    """Brings the read model up to date now: 200 with the epoch, or 202 at once."""
    if ADMIN not in identity_of(request).scopes:
        raise Forbidden(f"This needs the scope {ADMIN}.", allowed=[ADMIN])
    state = state_of(request)
    wait = params.read(request.scope["query_string"], VIEW_REFRESH, state.settings).one("wait", "false") == "true"
    task: asyncio.Task[Outcome] | None = getattr(request.app.state, "refresh", None)
    if task is None or task.done():
        task = request.app.state.refresh = asyncio.create_task(refresh_now(state.settings, [DeltaWriter()]))
    if not wait:
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return Response(b'{"status":"accepted"}', 202, _NO_STORE, "application/json")
    done = await asyncio.shield(task)
    return Response(encode.to_json({"status": "done", **asdict(done)}), 200, _NO_STORE, "application/json")


async def metrics(request: Request) -> Response:
    """The figures in the text format of Prometheus."""
    at, text = getattr(request.app.state, "view_metrics", (float("-inf"), b""))
    if time.monotonic() - at > METRICS_S:
        text = exposition(await _status(state_of(request)))
        request.app.state.view_metrics = (time.monotonic(), text)
    text += cache_metrics(state_of(request).service.cache)
    return Response(text, headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)


def exposition(found: Status) -> bytes:
    """The state of the read model as metrics."""
    registry = CollectorRegistry()

    def gauge(name: str, said: str, value: float) -> None:
        Gauge(f"pinakes_view_{name}", said, registry=registry).set(value)

    gauge("staleness_seconds", "How old the read model is now", found.staleness_s)
    gauge("worst_staleness_seconds", "How old it gets under its policy", found.worst_staleness_s or float("nan"))
    gauge("epoch", "The epoch readers see", found.epoch)
    gauge("waiting_changes", "Changes not applied yet, counted to a limit", found.waiting)
    gauge("oldest_waiting_seconds", "Age of the oldest of them", found.oldest_waiting_s)
    gauge("items", "Items in the read model, by statistics", found.items)
    gauge("bytes", "Bytes of the read model with its indexes", found.view_bytes)
    gauge("base_bytes", "Bytes of the tables it is made from", found.base_bytes)
    gauge("epoch_seconds_median", "Median time of the last epochs", found.epochs.median_s)
    gauge("epoch_seconds_max", "Longest time of the last epochs", found.epochs.slowest_s)
    if found.refreshes:
        gauge("last_refresh_seconds", "Time of the last refresh or build", found.refreshes[0].seconds)
        gauge("last_refresh_changes", "Changes in the last refresh or build", found.refreshes[0].items_changed)
    policy = Gauge("pinakes_view_policy", "1 for the policy in force", ["policy"], registry=registry)
    for name in POLICIES:
        policy.labels(name).set(name == found.policy)
    return generate_latest(registry)


async def _status(state: State) -> Status:
    with translate_errors():
        async with state.pool.acquire() as connection:
            return await read_status(connection, state.settings)
