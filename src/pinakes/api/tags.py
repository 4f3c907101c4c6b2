"""Routes of tags. Only tags that some item visible to the caller carries are ever shown."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params, values
from pinakes.api.parameters import DEFAULT_TAGS_LISTED, TAGS
from pinakes.api.problem import shown
from pinakes.api.state import identity_of, state_of
from pinakes.errors import InvalidParameter
from pinakes.store import tags
from pinakes.store.pool import snapshot

COLLECTION = "/api/v1/tags"
PATH = "/api/v1/tags/{id}"

HEADERS = {"cache-control": "private, no-cache", "vary": "authorization"}
_ID_ALLOWED = f"a whole number from 0 to {values.MAX_INTEGER}"
_read_id = values.whole(0, values.MAX_INTEGER)


async def list_tags(request: Request) -> Response:
    """Tags by name."""
    state = state_of(request)
    viewer = identity_of(request).user_id
    given = params.read(request.scope["query_string"], TAGS, state.settings)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        found, more = await tags.visible(
            conn,
            viewer,
            prefix=given.one("q", ""),
            after=given.one("after", ""),
            limit=given.one("limit", DEFAULT_TAGS_LISTED),
        )
    answer = {"tags": [encode.tag(tag) for tag in found], "next_after": found[-1].name if more else None}
    return Response(encode.to_json(answer), headers=HEADERS, media_type="application/json")


async def read_tag(request: Request) -> Response:
    """One tag."""
    state = state_of(request)
    viewer = identity_of(request).user_id
    params.read(request.scope["query_string"], (), state.settings)
    tag_id = tag_id_of(request)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        tag = await tags.read(conn, tag_id, viewer)
    return Response(encode.to_json(encode.tag(tag)), headers=HEADERS, media_type="application/json")


def tag_id_of(request: Request) -> int:
    """The number in the path.

    Raises:
        InvalidParameter: it is none.
    """
    text = request.path_params["id"]
    try:
        return _read_id(text)
    except ValueError as error:
        raise InvalidParameter(f"id cannot be {shown(text)}.", parameter="id", allowed=_ID_ALLOWED) from error
