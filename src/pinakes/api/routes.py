"""Every route of the API in one table: path, method, what answers it, and its description.

The hot route is in it like the others; all are plain Starlette routes that read requests
themselves, so that a refusal is always one of ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from pinakes import errors
from pinakes.api import cache, gallery, health, items, tags, view
from pinakes.api.openapi import ID, SOURCE_TYPE, operation
from pinakes.api.parameters import TAGS, UNIFIED, VIEW_REFRESH, WRITES

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_READING = (
    errors.UnknownParameter,
    errors.InvalidParameter,
    errors.NotAuthenticated,
    errors.StoreUnavailable,
    errors.StatementTimeout,
)
_WRITING = (*_READING, errors.Forbidden, errors.InvalidJson, errors.BodyTooLarge, errors.InvalidContent)


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One method of one path."""

    path: str
    method: str
    handler: Handler
    described: dict[str, Any]


ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute(
        gallery.PATH,
        "GET",
        gallery.unified,
        operation(
            "A page of the unified gallery and its total.",
            "Answer",
            query=UNIFIED,
            headers=("If-None-Match",),
            refusals=(
                *_READING,
                errors.InvalidCursor,
                errors.CursorMismatch,
                errors.TooManyTerms,
                errors.Forbidden,
                errors.ReadModelNotReady,
            ),
        ),
    ),
    ApiRoute(
        items.COLLECTION,
        "POST",
        items.create_item,
        operation(
            "Create an item. Needs scope content:write.",
            "Item",
            status=201,
            path=(SOURCE_TYPE,),
            query=WRITES,
            body="Draft",
            refusals=(*_WRITING, errors.Conflict),
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
            refusals=(*_READING, errors.NotFound),
        ),
    ),
    ApiRoute(
        items.PATH,
        "PATCH",
        items.change_item,
        operation(
            "Change some fields of an item. Needs scope content:write and ownership, or content:admin.",
            "Item",
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
            refusals=(*_READING, errors.Forbidden, errors.NotFound, errors.StaleVersion),
        ),
    ),
    ApiRoute(
        tags.COLLECTION,
        "GET",
        tags.list_tags,
        operation("Tags by name, from items you may see.", "Tags", query=TAGS, refusals=_READING),
    ),
    ApiRoute(
        tags.PATH,
        "GET",
        tags.read_tag,
        operation("One tag.", "Tag", path=(ID,), refusals=(*_READING, errors.NotFound)),
    ),
    ApiRoute(cache.STATS, "GET", cache.stats, operation("What the result cache did and how it is.", "CacheStats")),
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
                errors.InvalidJson,
                errors.InvalidParameter,
                errors.CacheUnusable,
            ),
        ),
    ),
    ApiRoute(
        view.STATS,
        "GET",
        view.stats,
        operation("Policy, size, staleness and refreshes of the read model.", None, refusals=_READING),
    ),
    ApiRoute(
        view.REFRESH,
        "POST",
        view.refresh,
        operation(
            "Bring the read model up to date now: 200 with its epoch, or 202 at once. Needs scope admin.",
            None,
            query=VIEW_REFRESH,
            refusals=(*_READING, errors.Forbidden),
        ),
    ),
    ApiRoute(view.METRICS, "GET", view.metrics, operation("Figures for Prometheus.", None)),
    ApiRoute("/healthz", "GET", health.healthz, operation("The process runs.", "Health")),
    ApiRoute(
        "/readyz",
        "GET",
        health.readyz,
        operation("Every part needed is ready.", "Health", refusals=(errors.StoreUnavailable,)),
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
        handlers[route.method] = route.handler
        if route.method == "GET":
            handlers["HEAD"] = route.handler
    return found
