"""Questions about a search besides its pages: tags of its hits, how they spread, where in it an item stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params
from pinakes.api.gallery import answered
from pinakes.api.parameters import AROUND, FACETS, HISTOGRAM
from pinakes.api.state import identity_of, state_of
from pinakes.api.suggest import meaning
from pinakes.api.tags import HEADERS
from pinakes.engines.around import around
from pinakes.engines.histogram import DEFAULT_BUCKETS, histogram
from pinakes.errors import InvalidParameter
from pinakes.query.aspect import DEFAULT_FACETS, FacetsAsked
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.store.pool import snapshot

FACETS_PATH = "/api/v1/content/unified/facets"
HISTOGRAM_PATH = "/api/v1/content/unified/histogram"
AROUND_PATH = "/api/v1/content/unified/around"


async def facets(request: Request) -> Response:
    """The tags on most of the hits of the current filter."""
    state = state_of(request)
    identity = identity_of(request)
    given = params.read(request.scope["query_string"], FACETS, state.settings)
    query = state.parser.query_of(given, identity.user_id)
    asked = FacetsAsked(given.one("limit", DEFAULT_FACETS), given.one("category"))
    return await answered(request, identity, query, engine=given.one("engine"), aspect=asked)


async def spread(request: Request) -> Response:
    """How the hits of the current filter spread over a field."""
    state = state_of(request)
    given = params.read(request.scope["query_string"], HISTOGRAM, state.settings)
    query = state.parser.query_of(given, identity_of(request).user_id)
    field = given.one("field", "created_at")
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        formula, warnings = await meaning(conn, query)
        found = await histogram(conn, formula, field, given.one("buckets", DEFAULT_BUCKETS))
    answer = {
        "field": field,
        "buckets": [{"from": each.low, "to": each.high, "count": each.count} for each in found.buckets],
        "missing": found.missing,
        "total_count": found.total,
        "query": query.q or None,
        "warnings": warnings,
    }
    return Response(encode.to_json(answer), headers=HEADERS, media_type="application/json")


async def neighbours(request: Request) -> Response:
    """The item before and the item after one, inside a search, and its rank there."""
    state = state_of(request)
    given = params.read(request.scope["query_string"], AROUND, state.settings)
    for name in ("source_type", "id"):
        if name not in given.lists:
            raise InvalidParameter(f"{name} is missing.", parameter=name, allowed="the source and the id of an item")
    query = state.parser.query_of(given, identity_of(request).user_id)
    source = SOURCE_BY_NAME[given.one("source_type")]
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        formula, warnings = await meaning(conn, query)
        found = await around(conn, query, formula, source, given.one("id"))
    answer = {
        "previous": None if found.previous is None else encode.item(found.previous),
        "item": encode.item(found.item),
        "next": None if found.next is None else encode.item(found.next),
        "rank": found.rank,
        "total_count": found.total,
        "query": query.q or None,
        "warnings": warnings,
    }
    return Response(encode.to_json(answer), headers=HEADERS, media_type="application/json")
