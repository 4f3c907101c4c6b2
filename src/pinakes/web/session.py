"""Sessions: who looks at a page.

The session cookie holds a bearer token, the same an API client sends: HttpOnly, so no script reads it;
SameSite=Lax, so no other site's form or image sends it; Secure wherever the page came over https. The
server keeps nothing. A token that is no longer accepted makes the visitor anonymous and says so once.
Only pages read the cookie; the API never does.

Forms carry a key: a signature over the session cookie, or for the anonymous over a cookie made for
this (`pinakes-form`). Another site can have a form sent, but can neither read the page that holds the
key nor set the cookie it is made from. Browsers that say where a request comes from (`Sec-Fetch-Site`,
`Origin`) are believed besides.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from itsdangerous import Signer
from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.auth import ANONYMOUS, Identity
from pinakes.api.proxies import plain, root_path, seen
from pinakes.api.state import state_of
from pinakes.errors import ForeignForm, NotAuthenticated

SESSION, FORM = "pinakes-session", "pinakes-form"
FIELD = "form_key"
MAX_COOKIE = 3800
"""Browsers keep cookies of some 4,096 bytes, their names and attributes included."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks; `ended`: they have a session that is no longer accepted."""

    identity: Identity
    token: str | None = None
    ended: bool = False

    @property
    def id(self) -> int | None:
        """The number of the user; None when anonymous."""
        return self.identity.user_id


def visitor_of(request: Request) -> Visitor:
    """Who sent `request`, by its session cookie."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is None:
        known = request.state.visitor = _visitor(request)
    return known


def _visitor(request: Request) -> Visitor:
    token = request.cookies.get(SESSION)
    if not token:
        return Visitor(ANONYMOUS)
    try:
        return Visitor(state_of(request).authenticator.identify(f"Bearer {token}"), token)
    except NotAuthenticated:
        return Visitor(ANONYMOUS, ended=True)


def begin(request: Request, response: Response, token: str) -> None:
    """Signs the visitor in: from now on they are who `token` says."""
    _set(request, response, SESSION, token)
    response.delete_cookie(FORM, path=root_path() or "/")


def end(response: Response) -> None:
    """Signs the visitor out."""
    response.delete_cookie(SESSION, path=root_path() or "/")


def form_key(request: Request) -> str:
    """The key for the forms of a page; `keep_form_cookie` must see the page's response."""
    token = visitor_of(request).token
    if token is not None:
        return _key(request, token)
    nonce = request.cookies.get(FORM) or getattr(request.state, "form_nonce", None)
    if nonce is None:
        nonce = request.state.form_nonce = secrets.token_urlsafe(24)
    return _key(request, nonce)


def keep_form_cookie(request: Request, response: Response) -> None:
    """Sets the cookie a form's key was made from, where it is new."""
    nonce = getattr(request.state, "form_nonce", None)
    if nonce is not None:
        _set(request, response, FORM, nonce)


def require_own_form(request: Request, fields: dict[str, str]) -> None:
    """Refuses a form that none of our pages gave this visitor.

    Raises:
        ForeignForm: the key is missing or another's, or the browser says that another site sent it.
    """
    bound = visitor_of(request).token or request.cookies.get(FORM)
    given = fields.get(FIELD, "")
    if bound is None or not hmac.compare_digest(given.encode(), _key(request, bound).encode()):
        raise ForeignForm("The form's key does not belong to your session.")
    if not _from_this_site(request):
        raise ForeignForm("The form was sent by another site.")


def _from_this_site(request: Request) -> bool:
    """What the browser says of where a form comes from; one that says nothing is held to the form's key alone."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    # A script cannot set this header, so it is worth as much as an origin. Proxies change hosts, and privacy settings
    # or a policy that a proxy added make the origin of our own pages `null`.
    if origin is None or site == "same-origin":
        return True
    given = urlsplit(origin)
    return plain(given.netloc, given.scheme) in seen(request, state_of(request).settings).hosts


def is_https(request: Request) -> bool:
    """Whether the visitor's browser speaks https, to us or to a proxy before us."""
    return seen(request, state_of(request).settings).https


def _set(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, httponly=True, samesite="lax", secure=is_https(request), path=root_path() or "/")


def _key(request: Request, bound: str) -> str:
    secret = state_of(request).settings.cursor_secret
    assert secret is not None, "the service does not start without"
    return Signer(secret, salt="pinakes.form", key_derivation="hmac").get_signature(bound).decode()
