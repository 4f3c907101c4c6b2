"""`GET /api/v1/tags/suggest` and the related tags of a tag or of a search.

Counts are of what the caller can see. `within` narrows suggestions to the current filter: it takes
the query string of the feed (its filters), so only tags come that still leave results.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params
from pinakes.api.parameters import FILTERS, RELATED, RELATED_OF_SEARCH, SUGGEST
from pinakes.api.state import State, identity_of, state_of
from pinakes.api.tags import HEADERS, tag_id_of
from pinakes.engines.overlap import SQL, Overlap
from pinakes.engines.related import related
from pinakes.engines.suggest import DEFAULT_LIMIT
from pinakes.errors import InvalidParameter, QueryError
from pinakes.query.formula import Formula, Term, conj, leaves
from pinakes.query.gallery_query import GalleryQuery, to_formula, visible_to
from pinakes.query.item import Tag
from pinakes.store import tags
from pinakes.store.pool import Connection, snapshot
from pinakes.store.vocabulary import resolve

PATH = "/api/v1/tags/suggest"
OF_TAG = "/api/v1/tags/{id}/related"
OF_SEARCH = "/api/v1/content/unified/related"


async def suggestions(request: Request) -> Response:
    """Tags whose names begin like what was typed."""
    state = state_of(request)
    viewer = identity_of(request).user_id
    given = params.read(request.scope["query_string"], SUGGEST, state.settings)
    within = _within(state, given.one("within", ""), viewer)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        formula, warnings = await meaning(conn, within)
        found = await state.service.suggester.suggest(
            conn, given.one("q", ""), formula, given.one("limit", DEFAULT_LIMIT)
        )
    answer = {
        "suggestions": [
            {**encode.tag(each.tag), "count": each.count, "alias": each.alias, "label": each.label, "typo": each.typo}
            for each in found
        ],
        "warnings": warnings,
    }
    return Response(encode.to_json(answer), headers=HEADERS, media_type="application/json")


async def related_to_tag(request: Request) -> Response:
    """Tags that go with a tag."""
    state = state_of(request)
    viewer = identity_of(request).user_id
    given = params.read(request.scope["query_string"], RELATED, state.settings)
    tag_id = tag_id_of(request)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        await tags.read(conn, tag_id, viewer)
        formula = conj((visible_to(viewer), Term("tag", tag_id)))
        answer = await nearest(conn, state.service.overlap, formula, viewer, given.one("limit", DEFAULT_LIMIT))
    return Response(encode.to_json({**answer, "warnings": []}), headers=HEADERS, media_type="application/json")


async def related_to_search(request: Request) -> Response:
    """Tags that go with what a search finds."""
    state = state_of(request)
    viewer = identity_of(request).user_id
    given = params.read(request.scope["query_string"], RELATED_OF_SEARCH, state.settings)
    query = state.parser.query_of(given, viewer)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        formula, warnings = await meaning(conn, query)
        answer = await nearest(conn, state.service.overlap, formula, viewer, given.one("limit", DEFAULT_LIMIT))
    return Response(encode.to_json({**answer, "warnings": warnings}), headers=HEADERS, media_type="application/json")


async def meaning(conn: Connection, query: GalleryQuery) -> tuple[Formula, tuple[str, ...]]:
    """What `query` asks in this snapshot, and what its caller should know."""
    vocabulary = await resolve(conn, query.refs, query.viewer, query.descendants)
    return to_formula(query, vocabulary), vocabulary.warnings


async def nearest(
    conn: Connection, overlap: Overlap, formula: Formula, viewer: int | None, limit: int
) -> dict[str, Any]:
    """The tags nearest to `formula` as an answer shows them."""
    besides = {int(leaf.value) for leaf in leaves(formula) if isinstance(leaf, Term) and leaf.field == "tag"}
    found = await related(conn, overlap, formula, visible_to(viewer), limit, besides=besides)
    rows = await conn.fetch(SQL["named"], [each.tag for each in found.tags])
    named = {row["id"]: Tag(row["id"], row["name"], row["category"]) for row in rows}
    return {
        "related": [
            {**encode.tag(named[each.tag]), "together": each.together, "count": each.items, "cosine": each.cosine}
            for each in found.tags
        ],
        "kind": found.kind,
    }


def _within(state: State, text: str, viewer: int | None) -> GalleryQuery:
    """The filter in `within`; what is wrong with it is wrong with that parameter."""
    try:
        return state.parser.query_of(params.read(text.encode(), FILTERS, state.settings), viewer)
    except QueryError as error:
        if error.status != 400:
            raise
        inner = error.extra.get("parameter")
        raise InvalidParameter(
            f"within cannot be read: {error.detail}",
            hint=error.advice,
            parameter="within",
            allowed="the filters of /api/v1/content/unified as a query string, encoded",
            inner=inner,
        ) from error
