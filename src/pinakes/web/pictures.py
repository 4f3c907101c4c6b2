"""The route of drawn pictures; what `art` is for. No database is asked."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from pinakes.errors import NoSuchRoute
from pinakes.web.art import PATH, VERSION
from pinakes.web.art.features import Features
from pinakes.web.art.picture import draw
from pinakes.web.assets import FOR_EVER

__all__ = ["PATH", "give"]

_SEED = re.compile(r"[0-9a-f]{6}")


async def give(request: Request) -> Response:
    """A picture; its address never means another, so its entity tag is its address."""
    told = request.path_params
    try:
        if told["version"] != str(VERSION) or _SEED.fullmatch(told["seed"]) is None:
            raise ValueError(told["seed"])  # noqa: TRY301 (like features that are none)
        features = Features.read(told["features"])
    except ValueError as error:
        raise NoSuchRoute("There is no such picture.") from error
    tag = f'"{VERSION}-{features}-{told["seed"]}"'
    headers = {"etag": tag, "cache-control": FOR_EVER}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(draw(features, int(told["seed"], 16)), headers=headers, media_type="image/svg+xml")
