"""Problem documents: every error as `application/problem+json` (RFC 9457).

    {"type": "urn:pinakes:error:PK102", "title": …, "status": 400, "detail": …, "code": "PK102",
     "hint": …, "parameter": "sort_field", "allowed": ["created_at", …]}

`type`, `code` and `title` are the same for every error of a kind, `detail` is about this one. What
a caller sent is repeated at most `MAX_SHOWN` characters long. Nothing of the inside is shown: an
unexpected exception is logged and answered with its kind's title only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from pinakes.api.proxies import link
from pinakes.errors import MethodNotAllowed, NoSuchRoute, NotAuthenticated, Overloaded, PinakesError, RequestError

MEDIA_TYPE = "application/problem+json"
MAX_SHOWN = 100

_log = logging.getLogger(__name__)


def shown(text: str) -> str:
    """What a caller sent, quoted and short enough to repeat to them."""
    return repr(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…")


def document(error: PinakesError) -> dict[str, Any]:
    """The members of the problem document for `error`."""
    return {
        "type": f"urn:pinakes:error:{error.code}",
        "title": error.title(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "hint": error.advice,
        **{name: value for name, value in error.extra.items() if value is not None},
    }


def problem_response(error: PinakesError, headers: Mapping[str, str] | None = None) -> Response:
    """`error` as an answer."""
    given = {"cache-control": "no-store", **(headers or {})}
    if isinstance(error, NotAuthenticated):
        given["www-authenticate"] = 'Bearer realm="pinakes"'
    if error.status in {429, 503}:
        given.setdefault("retry-after", str(error.extra.get("retry_after_seconds", 1)))
    return Response(_encoded(document(error)), error.status, given, MEDIA_TYPE)


def _encoded(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, default=str, option=orjson.OPT_UTC_Z)


async def on_pinakes_error(_: Request, error: Exception) -> Response:
    """Answers errors raised on purpose; those of our own making are logged."""
    assert isinstance(error, PinakesError)
    if error.status >= 500 and not isinstance(error, Overloaded):  # which comes by the thousand, and says nothing new
        _log.warning("%s: %s", error.code, error.detail, exc_info=error if error.status == 500 else None)
        if error.status == 500:
            return unexpected()
        return problem_response(_without_detail(error))
    return problem_response(error)


def _without_detail(error: PinakesError) -> PinakesError:
    """The same kind of error without what happened inside."""
    return type(error)(hint=error.advice)


def without_slash(request: Request) -> Response | None:
    """On to the address without the slashes at its end, where there is one; None where there is none."""
    path: str = request.scope["path"]
    bare = path.rstrip("/")
    if bare == path or not bare or path.startswith("//"):
        return None
    if not any(route.matches({**request.scope, "path": bare})[0] == Match.FULL for route in request.app.router.routes):
        return None
    asked: bytes = request.scope["query_string"]
    location = link(quote(bare)) + (f"?{asked.decode('latin-1')}" if asked else "")
    return Response(status_code=308, headers={"location": location, "cache-control": "no-store"})


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answers what the router refuses."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and (moved := without_slash(request)) is not None:
        return moved
    kind = {404: NoSuchRoute, 405: MethodNotAllowed}.get(error.status_code, RequestError)
    return problem_response(kind(), error.headers)


def unexpected() -> Response:
    """The answer to an exception nobody expected."""
    return problem_response(PinakesError())
