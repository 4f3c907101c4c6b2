"""Every route of the API in one table: path, method, what answers it, and its description.

The hot route is in it like the others (`search_routes`); all are plain Starlette routes that read
requests themselves, so that a refusal is always one of ours.
"""

from __future__ import annotations

from typing import Any

from pinakes import errors
from pinakes.api import cache, health, items, metrics, tags, tags_admin, view
from pinakes.api.openapi import ID, SOURCE_TYPE, operation
from pinakes.api.parameters import (
    ALIAS,
    LISTED,
    LISTED_PAIRS,
    PARENT,
    TAG_DELETE,
    TAGS,
    VIEW_REFRESH,
    WRITES,
    Parameter,
)
from pinakes.api.route import BODY, READING, ApiRoute, Handler
from pinakes.api.search_routes import SEARCH

_WRITING = (*READING, *BODY, errors.Forbidden, errors.InvalidContent)
_ADMINISTERING = (*_WRITING, errors.NotFound, errors.Conflict)
# What `stats-public` may keep to administrators.
_LOOKING = (errors.NotAuthenticated, errors.Forbidden, errors.StoreUnavailable)


def _table(
    path: str, method: str, handler: Handler, summary: str, answer: str | None, *, query: tuple[Parameter, ...] = ()
) -> ApiRoute:
    """A route of a table that administrators keep."""
    status = {"GET": 200, "POST": 201, "DELETE": 204}[method]
    body = answer if method == "POST" else None
    described = operation(
        f"{summary} Needs scope admin.", answer, status=status, query=query, body=body, refusals=_ADMINISTERING
    )
    return ApiRoute(path, method, handler, described)


_TAG_ADMIN: tuple[ApiRoute, ...] = (
    ApiRoute(
        tags.PATH,
        "PATCH",
        tags_admin.change_tag,
        operation(
            "Rename a tag or change its category. Needs scope admin.",
            "Tag",
            path=(ID,),
            body="TagChange",
            refusals=_ADMINISTERING,
        ),
    ),
    ApiRoute(
        tags.PATH,
        "DELETE",
        tags_admin.delete_tag,
        operation(
            "Delete a tag. Needs scope admin.",
            None,
            status=204,
            path=(ID,),
            query=TAG_DELETE,
            refusals=_ADMINISTERING,
        ),
    ),
    ApiRoute(
        tags_admin.MERGE,
        "POST",
        tags_admin.merge_tag,
        operation(
            "Give every item with this tag another one instead. Needs scope admin.",
            "Merged",
            path=(ID,),
            body="Merge",
            refusals=_ADMINISTERING,
        ),
    ),
    _table(tags_admin.ALIASES, "GET", tags_admin.list_aliases, "List aliases of tags.", "Aliases", query=LISTED),
    _table(tags_admin.ALIASES, "POST", tags_admin.put_alias, "Add an alias.", "Alias"),
    _table(tags_admin.ALIASES, "DELETE", tags_admin.remove_alias, "Remove an alias.", None, query=ALIAS),
    _table(tags_admin.PARENTS, "GET", tags_admin.list_parents, "List the hierarchy.", "Parents", query=LISTED_PAIRS),
    _table(tags_admin.PARENTS, "POST", tags_admin.put_parent, "Put a tag below another.", "Parent"),
    _table(tags_admin.PARENTS, "DELETE", tags_admin.remove_parent, "Take a tag from below it.", None, query=PARENT),
)

ROUTES: tuple[ApiRoute, ...] = (
    *SEARCH,
    *_TAG_ADMIN,
    ApiRoute(
        items.COLLECTION,
        "POST",
        items.create_item,
        operation(
            "Create an item. Needs scope content:write.",
            "Written",
            status=201,
            path=(SOURCE_TYPE,),
            query=WRITES,
            headers=("Idempotency-Key",),
            body="Draft",
            refusals=(*_WRITING, errors.Conflict, errors.KeyReused, errors.NotFound),
        ),
    ),
    ApiRoute(
        items.PATH,
        "GET",
        items.read_item,
        operation(
            "One item.",
            "Item",
            path=(SOURCE_TYPE, ID),
            headers=("If-None-Match",),
            refusals=(*READING, errors.NotFound),
        ),
    ),
    ApiRoute(
        items.PATH,
        "PATCH",
        items.change_item,
        operation(
            "Change some fields of an item. Needs scope content:write and ownership, or content:admin.",
            "Written",
            path=(SOURCE_TYPE, ID),
            query=WRITES,
            headers=("If-Match",),
            body="Change",
            refusals=(*_WRITING, errors.NotFound, errors.Conflict, errors.StaleVersion),
        ),
    ),
    ApiRoute(
        items.PATH,
        "DELETE",
        items.delete_item,
        operation(
            "Delete an item. Needs scope content:write and ownership, or content:admin.",
            None,
            status=204,
            path=(SOURCE_TYPE, ID),
            query=WRITES,
            headers=("If-Match",),
            refusals=(*READING, errors.Forbidden, errors.NotFound, errors.StaleVersion),
        ),
    ),
    ApiRoute(
        tags.COLLECTION,
        "GET",
        tags.list_tags,
        operation("Tags by name, from items you may see.", "Tags", query=TAGS, refusals=READING),
    ),
    ApiRoute(
        tags.PATH,
        "GET",
        tags.read_tag,
        operation("One tag.", "Tag", path=(ID,), refusals=(*READING, errors.NotFound)),
    ),
    ApiRoute(
        cache.STATS,
        "GET",
        cache.stats,
        operation("What the result cache did and how it is.", "CacheStats", refusals=_LOOKING),
    ),
    ApiRoute(
        cache.INVALIDATE,
        "POST",
        cache.invalidate,
        operation(
            "Give no stored answer about these tags and creators, or none at all. Needs scope admin.",
            "Invalidated",
            body="Invalidation",
            refusals=(
                errors.NotAuthenticated,
                errors.Forbidden,
                *BODY,
                errors.InvalidParameter,
                errors.CacheUnusable,
            ),
        ),
    ),
    ApiRoute(
        view.STATS,
        "GET",
        view.stats,
        operation(
            "Policy, size, staleness and refreshes of the read model.", None, refusals=(*READING, errors.Forbidden)
        ),
    ),
    ApiRoute(
        view.REFRESH,
        "POST",
        view.refresh,
        operation(
            "Bring the read model up to date now: 200 with its epoch, or 202 at once. Needs scope admin.",
            None,
            query=VIEW_REFRESH,
            refusals=(*READING, errors.Forbidden),
            later="Accepted; it goes on.",
        ),
    ),
    ApiRoute(metrics.PATH, "GET", metrics.metrics, operation("Figures for Prometheus.", None, refusals=_LOOKING)),
    ApiRoute("/healthz", "GET", health.healthz, operation("The process runs.", "Health")),
    ApiRoute(
        "/readyz",
        "GET",
        health.readyz,
        operation("Every part needed is ready.", "Health", refusals=(errors.StoreUnavailable, errors.Draining)),
    ),
)


def paths() -> dict[str, dict[str, Any]]:
    """The operations by path and method, as OpenAPI has them."""
    found: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        found.setdefault(route.path, {})[route.method.lower()] = route.described
    return found


def by_path() -> dict[str, dict[str, Handler]]:
    """The handlers by path and method; HEAD is GET without its body."""
    found: dict[str, dict[str, Handler]] = {}
    for route in ROUTES:
        handlers = found.setdefault(route.path, {})
        handler = handlers[route.method] = route.handler
        if route.method == "GET":
            handlers["HEAD"] = handler
    return found
