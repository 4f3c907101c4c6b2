"""Administration of tags, with scope admin: names, categories, merging, aliases, the hierarchy.

    PATCH  /api/v1/tags/{id}               {"name"?, "category"?, "keep_alias"?}
    DELETE /api/v1/tags/{id}               ?taggings=true: also from the items that carry it
    POST   /api/v1/tags/{id}/merge         {"into": id}
    GET, POST, DELETE /api/v1/admin/tag-aliases    {"alias", "tag"}
    GET, POST, DELETE /api/v1/admin/tag-parents    {"child", "parent"}

A merge is answered when it is done; one that was cut off is finished by asking again.

A tag on nothing but others' private items is not there for administrators either: 404, and in no list. The command
line has all tags.
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
    state, user = _admin(request)
    tag_id = tag_id_of(request)
    body = await read_object(request)
    given = _fields(body, {"name": str, "category": str, "keep_alias": bool})
    if not given.keys() & {"name", "category"}:
        raise InvalidContent("Nothing is to be changed.", field="name", allowed="name, category, or both")
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        if "category" in given:
            tag = await tag_admin.categorize(conn, tag_id, given["category"], hidden_from=user)
        if "name" in given:
            keep = given.get("keep_alias", False)
            tag = await tag_admin.rename(conn, tag_id, given["name"], keep_alias=keep, hidden_from=user)
    return _answer(encode.tag(tag))


async def merge_tag(request: Request) -> Response:
    """All of a tag's items get another tag instead."""
    state, user = _admin(request)
    tag_id = tag_id_of(request)
    given = _fields(await read_object(request), {"into": int}, required=True)
    with deadline.unbound():  # in batches, each with a limit of its own, as many as there are items
        merged = await tag_admin.merge(state.pool, tag_id, given["into"], hidden_from=user)
    return _answer(
        {"into": encode.tag(merged.into), "taggings": merged.taggings, "steps_left_out": merged.steps_left_out}
    )


async def delete_tag(request: Request) -> Response:
    """Removes a tag."""
    state, user = _admin(request, read=False)
    given = params.read(request.scope["query_string"], TAG_DELETE, state.settings)
    taggings = given.one("taggings", "false") == "true"
    with deadline.unbound():
        await tag_admin.delete(state.pool, tag_id_of(request), taggings=taggings, hidden_from=user)
    return Response(status_code=204)


async def list_aliases(request: Request) -> Response:
    """Aliases by name."""
    state, user = _admin(request, read=False)
    given = params.read(request.scope["query_string"], LISTED, state.settings)
    limit = given.one("limit", DEFAULT_TAGS_LISTED)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        rows = await aliases.listed(conn, after=given.one("after", ""), limit=limit + 1, hidden_from=user)
    shown = [{"alias": alias, "tag": tag} for alias, tag in rows[:limit]]
    return _answer({"aliases": shown, "next_after": shown[-1]["alias"] if len(rows) > limit else None})


async def put_alias(request: Request) -> Response:
    """Makes a name lead to a tag."""
    state, user = _admin(request)
    given = _fields(await read_object(request), {"alias": str, "tag": str}, required=True)
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        new = await aliases.put(conn, {given["alias"]: given["tag"]}, hidden_from=user)
    return _answer(given, 201 if new else 200)


async def remove_alias(request: Request) -> Response:
    """Takes an alias away."""
    state, user = _admin(request, read=False)
    name = _needed(params.read(request.scope["query_string"], ALIAS, state.settings), "alias")[0]
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        if not await aliases.remove(conn, [name], hidden_from=user):
            raise NotFound(f"There is no alias {name!r}.", hint=f"GET {ALIASES} lists them.")
    return Response(status_code=204)


async def list_parents(request: Request) -> Response:
    """The hierarchy, by names of child and parent."""
    state, user = _admin(request, read=False)
    given = params.read(request.scope["query_string"], LISTED_PAIRS, state.settings)
    limit = given.one("limit", DEFAULT_TAGS_LISTED)
    after = (given.one("after_child", ""), given.one("after_parent", ""))
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as conn:
        rows = await hierarchy.listed(conn, after=after, limit=limit + 1, hidden_from=user)
    shown = [{"child": child, "parent": parent} for child, parent in rows[:limit]]
    return _answer({"parents": shown, "next_after": shown[-1] if len(rows) > limit else None})


async def put_parent(request: Request) -> Response:
    """Puts a tag directly below another."""
    state, user = _admin(request)
    given = _fields(await read_object(request), {"child": str, "parent": str}, required=True)
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        new = await hierarchy.put(conn, [(given["child"], given["parent"])], hidden_from=user)
    return _answer(given, 201 if new else 200)


async def remove_parent(request: Request) -> Response:
    """Takes a tag from below another."""
    state, user = _admin(request, read=False)
    child, parent = _needed(params.read(request.scope["query_string"], PARENT, state.settings), "child", "parent")
    async with writing(state.pool, state.settings.statement_timeout_ms) as conn:
        if not await hierarchy.remove(conn, child, parent, hidden_from=user):
            raise NotFound(f"{child!r} is not directly below {parent!r}.", hint=f"GET {PARENTS} lists the hierarchy.")
    return Response(status_code=204)


def _admin(request: Request, *, read: bool = True) -> tuple[State, int]:
    """The state and the user, for an administrator; with `read` the route takes no parameters."""
    user = must_administer(request)
    state = state_of(request)
    if read:
        params.read(request.scope["query_string"], (), state.settings)
    return state, user


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
