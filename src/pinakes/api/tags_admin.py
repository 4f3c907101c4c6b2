"""Administration of tags, with scope admin: names, categories, merging, aliases, the hierarchy.

    PATCH  /api/v1/tags/{id}               {"name"?, "category"?, "keep_alias"?}
    DELETE /api/v1/tags/{id}               ?taggings=true: also from the items that carry it
    POST   /api/v1/tags/{id}/merge         {"into": id}
    GET, POST, DELETE /api/v1/admin/tag-aliases    {"alias", "tag"}
    GET, POST, DELETE /api/v1/admin/tag-parents    {"child", "parent"}

A merge is answered when it is done; one that was cut off is finished by asking again.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params
from pinakes.api.body import read_object
from pinakes.api.parameters import ALIAS, DEFAULT_TAGS_LISTED, LISTED, LISTED_PAIRS, PARENT, TAG_DELETE
from pinakes.api.state import State, must_administer, state_of
from pinakes.api.tags import HEADERS, tag_id_of
from pinakes.errors import InvalidContent, InvalidParameter, NotFound
from pinakes.store import aliases, deadline, hierarchy, tag_admin
from pinakes.store.pool import snapshot, writing

MERGE = "/api/v1/tags/{id}/merge"
ALIASES = "/api/v1/admin/tag-aliases"
PARENTS = "/api/v1/admin/tag-parents"


async def change_tag(request: Request) -> Response:
    """Another name or category."""
    state = _admin(request)
    tag_id = tag_id_of(request)
    body = await read_object(request)
    given = _fields(body, {"name": str, "category": str, "keep_alias": bool})
    if not given.keys() & {"name", "category"}:
        raise InvalidContent("Nothing is to be changed.", field="name", allowed="name, category, or both")
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        if "category" in given:
            tag = await tag_admin.categorize(conn, tag_id, given["category"])
        if "name" in given:
            tag = await tag_admin.rename(conn, tag_id, given["name"], keep_alias=given.get("keep_alias", False))
    return _answer(encode.tag(tag))


async def merge_tag(request: Request) -> Response:
    """All of a tag's items get another tag instead."""
    state = _admin(request)
    tag_id = tag_id_of(request)
    given = _fields(await read_object(request), {"into": int}, required=True)
    with deadline.unbound():  # in batches, each with a limit of its own, as many as there are items
        merged = await tag_admin.merge(state.pool, tag_id, given["into"])
    return _answer(
        {"into": encode.tag(merged.into), "taggings": merged.taggings, "steps_left_out": merged.steps_left_out}
    )


async def delete_tag(request: Request) -> Response:
    """Removes a tag."""
    state = _admin(request, read=False)
    given = params.read(request.scope["query_string"], TAG_DELETE, state.settings)
    with deadline.unbound():
        await tag_admin.delete(state.pool, tag_id_of(request), taggings=given.one("taggings", "false") == "true")
    return Response(status_code=204)


async def list_aliases(request: Request) -> Response:
    """Aliases by name."""
    state = _admin(request, read=False)
    given = params.read(request.scope["query_string"], LISTED, state.settings)
    limit = given.one("limit", DEFAULT_TAGS_LISTED)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        rows = await aliases.listed(conn, after=given.one("after", ""), limit=limit + 1)
    shown = [{"alias": alias, "tag": tag} for alias, tag in rows[:limit]]
    return _answer({"aliases": shown, "next_after": shown[-1]["alias"] if len(rows) > limit else None})


async def put_alias(request: Request) -> Response:
    """Makes a name lead to a tag."""
    state = _admin(request)
    given = _fields(await read_object(request), {"alias": str, "tag": str}, required=True)
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        new = await aliases.put(conn, {given["alias"]: given["tag"]})
    return _answer(given, 201 if new else 200)


async def remove_alias(request: Request) -> Response:
    """Takes an alias away."""
    state = _admin(request, read=False)
    name = _needed(params.read(request.scope["query_string"], ALIAS, state.settings), "alias")[0]
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        if not await aliases.remove(conn, [name]):
            raise NotFound(f"There is no alias {name!r}.", hint=f"GET {ALIASES} lists them.")
    return Response(status_code=204)


async def list_parents(request: Request) -> Response:
    """The hierarchy, by names of child and parent."""
    state = _admin(request, read=False)
    given = params.read(request.scope["query_string"], LISTED_PAIRS, state.settings)
    limit = given.one("limit", DEFAULT_TAGS_LISTED)
    after = (given.one("after_child", ""), given.one("after_parent", ""))
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        rows = await hierarchy.listed(conn, after=after, limit=limit + 1)
    shown = [{"child": child, "parent": parent} for child, parent in rows[:limit]]
    return _answer({"parents": shown, "next_after": shown[-1] if len(rows) > limit else None})


async def put_parent(request: Request) -> Response:
    """Puts a tag directly below another."""
    state = _admin(request)
    given = _fields(await read_object(request), {"child": str, "parent": str}, required=True)
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        new = await hierarchy.put(conn, [(given["child"], given["parent"])])
    return _answer(given, 201 if new else 200)


async def remove_parent(request: Request) -> Response:
    """Takes a tag from below another."""
    state = _admin(request, read=False)
    child, parent = _needed(params.read(request.scope["query_string"], PARENT, state.settings), "child", "parent")
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        if not await hierarchy.remove(conn, child, parent):
            raise NotFound(f"{child!r} is not directly below {parent!r}.", hint=f"GET {PARENTS} lists the hierarchy.")
    return Response(status_code=204)


def _admin(request: Request, *, read: bool = True) -> State:
    """The state, for an administrator; with `read` the route takes no parameters."""
    must_administer(request)
    state = state_of(request)
    if read:
        params.read(request.scope["query_string"], (), state.settings)
    return state


def _fields(body: dict[str, Any], known: dict[str, type], *, required: bool = False) -> dict[str, Any]:
    """The fields of a body, each of its type."""
    for name, value in body.items():
        if name not in known:
            raise InvalidContent(f"There is no field {name[:100]!r}.", field=name[:100], allowed=list(known))
        if type(value) is not known[name]:
            raise InvalidContent(f"{name} is refused.", field=name, allowed=_KINDS[known[name]])
        if isinstance(value, int) and not -(2**31) <= value < 2**31:
            raise NotFound(f"There is no tag {value}.", hint="GET /api/v1/tags lists tags.")
    missing = [name for name in known if name not in body]
    if required and missing:
        raise InvalidContent(f"{missing[0]} is missing.", field=missing[0], allowed="required")
    return body


_KINDS: dict[type, str] = {str: "text", bool: "true or false", int: "the number of a tag"}


def _needed(given: params.Given, *names: str) -> list[str]:
    for name in names:
        if name not in given.lists:
            raise InvalidParameter(f"{name} is missing.", parameter=name, allowed="the name of a tag")
    return [given.one(name) for name in names]


def _answer(value: dict[str, Any], status: int = 200) -> Response:
    return Response(encode.to_json(value), status, HEADERS, "application/json")
