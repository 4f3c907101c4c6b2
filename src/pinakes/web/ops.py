"""Operations, `/ops`: how quick, how fresh, how large, and what to do about it.

Drawn from what all processes measured (`figures`), the state of the read model, of the index and of the
cache, and the rules of `advise`; nothing is measured for the page. Figures by the minute are those at
`/metrics`. Reading the index's size and the advice costs some tenths of a second at a million items, so both are
remembered for `REST_S`. Texts of slow queries are for administrators, also where the page is open.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pinakes.advise.advice import Report
from pinakes.advise.measured import advise_measured
from pinakes.api.auth import ADMIN
from pinakes.api.health import parts_of
from pinakes.api.state import State, state_of
from pinakes.cache.reader import query_of
from pinakes.cache.report import report
from pinakes.errors import Forbidden, InvalidParameter, NotAuthenticated, StoreError
from pinakes.figures.histogram import Histogram
from pinakes.figures.history import HITS, History, read_history, read_slowest
from pinakes.index.status import read_status as read_index
from pinakes.store.pool import translate_errors
from pinakes.view.status import read_status as read_view
from pinakes.web import page as pages
from pinakes.web import wording
from pinakes.web.address import Address
from pinakes.web.plot import Plot, plot
from pinakes.web.session import visitor_of

RANGES = {"15m": (900, 60), "1h": (3600, 60), "6h": (21_600, 300), "24h": (86_400, 900), "7d": (604_800, 7200)}
"""Seconds looked back and seconds a step, by name."""

REST_S = 20.0
SLOWEST = 12


async def show(request: Request) -> Response:
    """The page."""
    administrator = may_see(request)
    state = state_of(request)
    chosen = Address.of(request).get("range") or "1h"
    span_s, step_s = RANGES[chosen]
    until = datetime.now(UTC)
    since = until - timedelta(seconds=span_s)
    with translate_errors():
        async with state.pool.acquire() as connection:
            history = await read_history(connection, since, until, step_s)
            slowest = await read_slowest(connection, since, until, SLOWEST) if administrator else []
            view = await read_view(connection, state.settings)
    return pages.render(
        request,
        "ops.html",
        ranges=RANGES,
        chosen=chosen,
        history=history,
        span_s=span_s,
        rows=by_source(history),
        total=history.total("answer"),
        plots=plots(history, since, until, step_s),
        view=view,
        memory=state.service.index_memory,
        index=await remembered(request, "index", lambda: _index(state)),
        cache=await report(state.service.cache) if state.service.cache is not None else None,
        parts=await parts_of(state),
        advice=await remembered(request, "advice", lambda: _advice(state)),
        slowest=slowest,
        now=until,
    )


async def explain(request: Request) -> Response:
    """What one slow query took, asked again now; for administrators."""
    if not may_see(request):
        if visitor_of(request).id is None:
            raise NotAuthenticated("Explanations are for administrators.", hint="Sign in as one.")
        raise Forbidden("Explanations are for administrators.", allowed=[ADMIN])
    text = Address.of(request).get("query")
    try:
        query = query_of(text)
    except (ValueError, TypeError) as error:
        raise InvalidParameter("The query cannot be read.", parameter="query") from error
    if query is None:
        raise InvalidParameter("The query is of another version.", parameter="query")
    answer = await state_of(request).service.answer(query, explain=True)
    told = orjson.loads(answer.entry.constant + b"}")
    shown = orjson.dumps(told.get("explain"), option=orjson.OPT_INDENT_2).decode()
    return pages.render(request, "explain.html", query=text, told=shown, engine=told["engine"])


def may_see(request: Request) -> bool:
    """Whether the visitor administers.

    Raises:
        NotAuthenticated, Forbidden: they do not, and the page is not open to everybody.
    """
    visitor = visitor_of(request)
    administrator = ADMIN in visitor.identity.scopes
    if administrator or state_of(request).settings.open_operations:
        return administrator
    if visitor.id is None:
        raise NotAuthenticated("Operations are for administrators.", hint="Sign in as one.")
    raise Forbidden("Operations are for administrators.", allowed=[ADMIN], hint=f"Their token has the scope {ADMIN}.")


def by_source(history: History) -> list[tuple[str, str, Histogram]]:
    """What answered: (kind, name, durations), the cache's answers first."""
    rows = [
        ("cache", name, history.total(f"answer:{name}")) for name in history.names("answer") if f"answer:{name}" in HITS
    ]
    rows += [("engine", name, history.total(f"engine:{name}")) for name in history.names("engine")]
    return [*rows, *(("write", name, history.total(f"write:{name}")) for name in history.names("write"))]


def plots(history: History, since: datetime, until: datetime, step_s: int) -> list[Plot]:
    """Times, requests, hits, staleness."""
    answers = _together(history, "answer")
    hits = _together(history, *HITS)

    def quantile(share: float) -> list[tuple[datetime, float | None]]:
        return [(at, found.quantile(share)) for at, found in answers]

    asked = dict(answers)
    rates = [(at, found.count / step_s) for at, found in answers]
    shares = [(at, _share(dict(hits).get(at), found)) for at, found in asked.items()]
    stale = [(size.at, size.staleness_s) for size in history.sizes]
    seconds = wording.seconds
    quantiles = [(name, quantile(share)) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))]
    return [
        plot("Time to an answer", since, until, quantiles, seconds, step_s=step_s),
        plot("Answers a second", since, until, [("all", rates)], wording.short, step_s=step_s),
        plot("From the cache", since, until, [("share", shares)], wording.share, step_s=step_s, most=1.0),
        plot("Staleness of the read model", since, until, [("behind", stale)], seconds, step_s=max(step_s, 60)),
    ]


def _together(history: History, *names: str) -> list[tuple[datetime, Histogram]]:
    """Several series, or whole parts, added up by step."""
    found: dict[datetime, Histogram] = {}
    for series, points in history.series.items():
        if any(series == name or series.startswith(f"{name}:") for name in names):
            for at, histogram in points.items():
                found.setdefault(at, Histogram()).merge(histogram)
    return sorted(found.items(), key=lambda point: point[0])


def _share(part: Histogram | None, whole: Histogram) -> float | None:
    return (part.count if part is not None else 0) / whole.count if whole.count else None


async def remembered(request: Request, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
    """What `read` gives, at most `REST_S` old; None where the database does not say."""
    kept: dict[str, tuple[float, Any]] = request.app.state.__dict__.setdefault("_operations", {})
    at, value = kept.get(name, (float("-inf"), None))
    if time.monotonic() - at > REST_S:
        try:
            value = await read()
        except StoreError:
            value = None
        kept[name] = (time.monotonic(), value)
    return value


async def _index(state: State) -> Any:
    with translate_errors():
        async with state.pool.acquire() as connection:
            return await read_index(connection)


async def _advice(state: State) -> Report:
    with translate_errors():
        return await advise_measured(state.pool, state.settings)
