"""The read model's routes: `GET /api/v1/stats/view`, `POST /api/v1/admin/view/refresh`.

A refresh asked for with `wait=false` (the default) runs on in this process; asked again meanwhile,
it is the same one.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params
from pinakes.api.parameters import VIEW_REFRESH
from pinakes.api.state import State, may_see_statistics, must_administer, state_of
from pinakes.index.deltas import DeltaWriter
from pinakes.store.pool import translate_errors
from pinakes.view.actions import Outcome, refresh_now
from pinakes.view.status import Status, read_status

STATS = "/api/v1/stats/view"
REFRESH = "/api/v1/admin/view/refresh"

_NO_STORE = {"cache-control": "no-store"}


async def stats(request: Request) -> Response:
    """The state of the read model; what `pinakes view status` shows."""
    may_see_statistics(request)
    params.read(request.scope["query_string"], (), state_of(request).settings)
    found = await _status(state_of(request))
    return Response(encode.to_json(found.as_dict()), headers=_NO_STORE, media_type="application/json")


async def refresh(request: Request) -> Response:
    """Brings the read model up to date now: 200 with the epoch, or 202 at once."""
    must_administer(request)
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


async def _status(state: State) -> Status:
    with translate_errors():
        async with state.pool.acquire() as connection:
            return await read_status(connection, state.settings)
