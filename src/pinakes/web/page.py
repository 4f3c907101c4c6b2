"""Pages: templates rendered with what every page has, the headers of a page, and refusals as pages.

Templates stand in `templates/`; everything put into them is escaped. The Content-Security-Policy allows our own
scripts and style sheet by address and nothing inline; pictures may come from elsewhere, because items name
theirs. A page is some tens of kilobytes before compression and is rendered in a few milliseconds.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.auth import ADMIN
from pinakes.api.parameters import Parameter
from pinakes.api.params import read
from pinakes.api.proxies import link, root_path
from pinakes.api.state import state_of
from pinakes.errors import (
    NoSuchRoute,
    NotAuthenticated,
    PinakesError,
    ReadModelNotReady,
    StatementTimeout,
    StoreError,
)
from pinakes.web import assets, facets, look, session, wording
from pinakes.web.address import Address

Handler = Callable[[Request], Awaitable[Response]]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: http: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    # Forms are judged by where they come from, which `no-referrer` would hide.
    "referrer-policy": "same-origin",
    "cache-control": "private, no-cache",
    "vary": "cookie, accept-encoding",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_PACKED_FROM = 1024

_log = logging.getLogger(__name__)

TEMPLATES = Environment(
    loader=PackageLoader("pinakes.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
TEMPLATES.globals.update(link=link, asset=lambda name: link(assets.address(name)), Address=Address, colors=facets.color)
TEMPLATES.filters.update(wording.FILTERS)


@dataclass(frozen=True, slots=True)
class Takes:
    """The parameters of a page. Others are ignored: links pick up `fbclid`, `utm_source` and the like on their way.

    `read_by_page`: the page gives its question to the parser of the API, which reads all of it.
    """

    table: tuple[Parameter, ...] = ()
    besides: frozenset[str] = frozenset()
    read_by_page: bool = False

    def checked(self, request: Request) -> None:
        """Leaves in `request` the parameters the page has, read by the rules of the API.

        Raises:
            InvalidParameter: one is not UTF-8, has a NUL character, is given twice or out of its bounds.
            TooManyTerms: the query string is too long.
        """
        names = self.besides | {parameter.name for parameter in self.table}
        raw = Address.of(request).only_known(names).raw
        request.scope["query_string"] = raw
        if not self.read_by_page:
            read(raw, self.table, state_of(request).settings)


NOTHING = Takes()


def page(handler: Handler, takes: Takes = NOTHING) -> Handler:
    """`handler` as a page: changes of the look are taken first, and refusals become pages."""
    whole = replace(takes, table=(*takes.table, *look.PARAMETERS))

    async def answer(request: Request) -> Response:
        try:
            if _is_for_a_picture(request):
                raise NoSuchRoute("There is no picture at this address.")
            turned = look.changed(request) if request.method in {"GET", "HEAD"} else None
            if turned is not None:
                return turned
            whole.checked(request)
            return await handler(request)
        except PinakesError as error:
            return refusal(request, error)

    return answer


def _is_for_a_picture(request: Request) -> bool:
    """Whether a browser asks for a picture: an item may name any address as its own, pages of ours too."""
    asked = request.headers.get("sec-fetch-dest", "")
    return asked == "image" or request.headers.get("accept", "").startswith("image/")


def fragment(handler: Handler, takes: Takes = NOTHING) -> Handler:
    """`handler` as a part of a page that a script fetches; its refusals are parts, too."""

    async def answer(request: Request) -> Response:
        try:
            takes.checked(request)
            return await handler(request)
        except PinakesError as error:
            return _to_be_repeated(error, render(request, "part_refused.html", status=error.status, **_told(error)))

    return answer


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page or a part of one."""
    visitor = session.visitor_of(request)
    shown = {
        "visitor": visitor,
        "signed_in": visitor.id is not None,
        "administrator": ADMIN in visitor.identity.scopes,
        "look": look.look_of(request),
        "here": Address.of(request),
        "root": root_path(),
        "path": quote(request.scope["path"]),
        "method": request.method,
        "form_key": lambda: session.form_key(request),
        "operations": ADMIN in visitor.identity.scopes or state_of(request).settings.open_operations,
        **context,
    }
    body = TEMPLATES.get_template(template).render(shown).encode("utf-8", "replace")
    headers = {**_HEADERS, "content-type": "text/html; charset=utf-8"}
    if len(body) > _PACKED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 2, mtime=0)
        headers["content-encoding"] = "gzip"
    response = Response(body, status, headers)
    session.keep_form_cookie(request, response)
    if visitor.ended:
        session.end(response)
    return response


def see(address: str) -> Response:
    """On to another page of ours, after a form was taken."""
    assert address.startswith("/")
    assert not address.startswith(("//", "/\\"))
    # A header holds no letters beyond ASCII; what is encoded already stays so.
    location = quote(link(address), safe="/?#[]@!$&'()*+,;=%:~")
    return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})


def refusal(request: Request, error: PinakesError) -> Response:
    """`error` as a page with a way on; what happened inside is logged, never shown."""
    if error.status >= 500:  # where the inside is at fault, and not the database or the load, it is wanted where
        _log.warning("%s: %s", error.code, error.detail, exc_info=error if error.status == 500 else None)
    return _to_be_repeated(error, render(request, "refused.html", status=error.status, **_told(error)))


def _to_be_repeated(error: PinakesError, response: Response) -> Response:
    """Says when to ask again, where that helps."""
    if error.status in {429, 503}:
        response.headers["retry-after"] = str(error.extra.get("retry_after_seconds", 1))
    return response


def _told(error: PinakesError) -> dict[str, Any]:
    inside = error.status >= 500
    kind = (
        "slow" if isinstance(error, StatementTimeout)
        else "stale" if isinstance(error, ReadModelNotReady)
        else "away" if isinstance(error, StoreError)
        else "much" if error.status == 429
        else "missing" if error.status == 404
        else "who" if isinstance(error, NotAuthenticated) or error.status == 403
        else "wrong"
    )  # fmt: skip
    return {
        "kind": kind,
        "code": error.code,
        "heading": error.title(),
        "detail": "" if inside or error.detail == error.title() else error.detail,
        "hint": error.advice if not inside or kind == "slow" else "",
        "suggestion": str(error.extra.get("suggestion") or ""),
        "status_code": error.status,
    }
