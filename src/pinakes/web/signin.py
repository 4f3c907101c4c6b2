"""Signing in and out: `/sign-in` takes a bearer token or a link, `/sign-out` ends the session."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.state import state_of
from pinakes.errors import NotAuthenticated
from pinakes.web import form, links, session
from pinakes.web import page as pages
from pinakes.web.address import Address

_NO_HINT = "Ask whoever runs this gallery for a token; `pinakes token` makes one."


async def show(request: Request) -> Response:
    """The form, or for a link whom one would be."""
    address = Address.of(request)
    text = address.get("link")
    invited = links.read_link(state_of(request).settings, text) if text else None
    response = pages.render(
        request,
        "signin.html",
        invited=invited,
        link=text,
        back=form.local(address.get("back", "/")),
        fault="",
    )
    # The address may hold a link, which is nobody else's business; `no-referrer` would hide it from other sites no
    # better than the `same-origin` of every page does, and make browsers send the form with `Origin: null`.
    response.headers["cache-control"] = "no-store"
    return response


async def sign_in(request: Request) -> Response:
    """Begins a session with what the form holds."""
    fields = await form.read(request)
    back = form.local(fields.get("back", "/"))
    settings = state_of(request).settings
    if fields.get("link"):
        token = links.read_link(settings, fields["link"]).token(settings)
    else:
        token = fields.get("token", "").strip().removeprefix("Bearer ")
        try:
            if len(token) > session.MAX_COOKIE:
                raise NotAuthenticated("The token is too long for a cookie.", hint=_NO_HINT)  # noqa: TRY301
            state_of(request).authenticator.identify(f"Bearer {token}")
        except NotAuthenticated as error:
            context = {"invited": None, "link": "", "back": back, "fault": error.detail}
            return pages.render(request, "signin.html", status=401, **context)
    response = pages.see(back)
    session.begin(request, response, token)
    return response


async def sign_out(request: Request) -> Response:
    """Ends the session."""
    await form.read(request)
    response = pages.see("/")
    session.end(response)
    return response
