"""Look: how a visitor likes the pages. Light or dark, size of thumbnails, items a page, pages or scrolling.

Kept in a cookie that says nothing about the person, as `theme.thumbs.per.view`. `?theme=dark` and the like in
the address of any page changes it: the answer sets the cookie and leads to the address without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import values
from pinakes.api.parameters import Parameter
from pinakes.api.proxies import root_path
from pinakes.web.address import Address
from pinakes.web.session import is_https

COOKIE = "pinakes-look"
CHOICES: dict[str, tuple[str, ...]] = {
    "theme": ("auto", "light", "dark"),
    "thumbs": ("m", "s", "l"),
    "per": ("60", "30", "120", "240"),
    "view": ("pages", "scroll"),
}
"""The choices by parameter, the default first."""
PARAMETERS = tuple(
    Parameter(name, "How pages look.", values.one_of(choices), list(choices), {"type": "string", "enum": list(choices)})
    for name, choices in CHOICES.items()
)
_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Look:
    """One visitor's choices."""

    theme: str = "auto"
    thumbs: str = "m"
    per: str = "60"
    view: str = "pages"

    def __str__(self) -> str:
        return f"{self.theme}.{self.thumbs}.{self.per}.{self.view}"


def look_of(request: Request) -> Look:
    """The choices in the request's cookie; what is no choice is the default."""
    told = dict(zip(CHOICES, request.cookies.get(COOKIE, "").split("."), strict=False))
    return Look(**{name: value for name, value in told.items() if value in CHOICES[name]})


def changed(request: Request) -> Response | None:
    """The answer to an address that changes the look; None where it does not."""
    address = Address.of(request)
    chosen = {name: value for name, value in address.pairs if value in CHOICES.get(name, ())}
    if not chosen:
        return None
    here = address.without(*CHOICES)
    # In pages of another size the number of a page means something else.
    if "per" in chosen:
        here = here.without("page", "cursor")
    location = here.at(quote(request.scope["path"]))
    response = Response(status_code=303, headers={"location": location, "cache-control": "no-store"})
    look = replace(look_of(request), **chosen)
    response.set_cookie(
        COOKIE, str(look), max_age=_YEAR_S, samesite="lax", secure=is_https(request), path=root_path() or "/"
    )
    return response
