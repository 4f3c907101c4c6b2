"""Questions about a search besides its pages: tags of its hits, how they spread, where in it an item stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import params
from pinakes.api.gallery import answered
from pinakes.api.parameters import AROUND, FACETS, HISTOGRAM, RELATED, RELATED_OF_SEARCH
from pinakes.api.state import identity_of, state_of
from pinakes.api.tags import tag_id_of
from pinakes.engines.suggest import DEFAULT_LIMIT
from pinakes.errors import InvalidParameter
from pinakes.query.aspect import (
    DEFAULT_BUCKETS,
    DEFAULT_FACETS,
    AroundAsked,
    FacetsAsked,
    HistogramAsked,
    RelatedAsked,
)
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.store import tags
from pinakes.store.pool import snapshot

FACETS_PATH = "/api/v1/content/unified/facets"
HISTOGRAM_PATH = "/api/v1/content/unified/histogram"
AROUND_PATH = "/api/v1/content/unified/around"
RELATED_OF_TAG_PATH = "/api/v1/tags/{id}/related"
RELATED_PATH = "/api/v1/content/unified/related"


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
    identity = identity_of(request)
    given = params.read(request.scope["query_string"], HISTOGRAM, state.settings)
    query = state.parser.query_of(given, identity.user_id)
    asked = HistogramAsked(given.one("field", "created_at"), given.one("buckets", DEFAULT_BUCKETS))
    return await answered(request, identity, query, engine=given.one("engine"), aspect=asked)


async def neighbours(request: Request) -> Response:
    """The item before and the item after one, inside a search, and its rank there."""
    state = state_of(request)
    identity = identity_of(request)
    given = params.read(request.scope["query_string"], AROUND, state.settings)
    for name in ("source_type", "id"):
        if name not in given.lists:
            raise InvalidParameter(f"{name} is missing.", parameter=name, allowed="the source and the id of an item")
    query = state.parser.query_of(given, identity.user_id)
    asked = AroundAsked(SOURCE_BY_NAME[given.one("source_type")].code, given.one("id"))
    return await answered(request, identity, query, engine=given.one("engine"), aspect=asked)


async def related_to_tag(request: Request) -> Response:
    """Tags that go with a tag."""
    state = state_of(request)
    identity = identity_of(request)
    given = params.read(request.scope["query_string"], RELATED, state.settings)
    tag_id = tag_id_of(request)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as connection:
        await tags.read(connection, tag_id, identity.user_id)
    query = GalleryQuery(tags_all=(tag_id,), viewer=identity.user_id)
    asked = RelatedAsked(given.one("limit", DEFAULT_LIMIT))
    return await answered(request, identity, query, engine=given.one("engine"), aspect=asked)


async def related_to_search(request: Request) -> Response:
    """Tags that go with what a search finds."""
    state = state_of(request)
    identity = identity_of(request)
    given = params.read(request.scope["query_string"], RELATED_OF_SEARCH, state.settings)
    query = state.parser.query_of(given, identity.user_id)
    asked = RelatedAsked(given.one("limit", DEFAULT_LIMIT))
    return await answered(request, identity, query, engine=given.one("engine"), aspect=asked)
