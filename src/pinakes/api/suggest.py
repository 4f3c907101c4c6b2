"""`GET /api/v1/tags/suggest`.

Counts are of what the caller can see. `within` narrows suggestions to the current filter: it takes
the query string of the feed (its filters), so only tags come that still leave results.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params
from pinakes.api.parameters import FILTERS, SUGGEST
from pinakes.api.state import State, identity_of, state_of
from pinakes.api.tags import HEADERS
from pinakes.engines.suggest import DEFAULT_LIMIT
from pinakes.errors import InvalidParameter, QueryError
from pinakes.query.gallery_query import GalleryQuery

PATH = "/api/v1/tags/suggest"


async def suggestions(request: Request) -> Response:
    """Tags whose names begin like what was typed."""
    state = state_of(request)
    viewer = identity_of(request).user_id
    given = params.read(request.scope["query_string"], SUGGEST, state.settings)
    within = _within(state, given.one("within", ""), viewer)
    said = await state.service.suggest(within, given.one("q", ""), given.one("limit", DEFAULT_LIMIT))
    answer = {
        "suggestions": [
            {**encode.tag(each.tag), "count": each.count, "alias": each.alias, "label": each.label, "typo": each.typo}
            for each in said.found
        ],
        "warnings": said.warnings,
    }
    return Response(encode.to_json(answer), headers=HEADERS, media_type="application/json")


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
