"""The cache's own routes: `GET /api/v1/stats/cache` and `POST /api/v1/admin/cache/invalidate`.

Invalidating by hand is for what no clock knows of (a thumbnail replaced in place, a body format
someone disliked); changes of content need it never.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode
from pinakes.api.body import read_object
from pinakes.api.state import may_see_statistics, must_administer, state_of
from pinakes.cache.core import ResultCache
from pinakes.cache.key import EVERYTHING
from pinakes.cache.link import CacheFailure
from pinakes.cache.report import report
from pinakes.errors import CacheUnusable, InvalidParameter

STATS = "/api/v1/stats/cache"
INVALIDATE = "/api/v1/admin/cache/invalidate"
_MOST = 1000


async def stats(request: Request) -> Response:
    """What the cache did and how it is."""
    may_see_statistics(request)
    cache = state_of(request).service.cache
    told = await report(cache) if cache is not None else {"strategy": "off"}
    return Response(encode.to_json(told), media_type="application/json", headers={"cache-control": "no-store"})


async def invalidate(request: Request) -> Response:
    """No stored answer about the given tags and creators, or none at all, is given any more."""
    must_administer(request)
    terms = _terms(await read_object(request))
    await forget(state_of(request).service.cache, terms)
    return Response(encode.to_json({"invalidated": list(terms)}), media_type="application/json")


async def forget(cache: ResultCache | None, terms: tuple[str, ...]) -> None:
    """Has `terms` forgotten.

    Raises:
        CacheUnusable: there is no cache, or Redis does not take it.
    """
    if cache is None:
        raise CacheUnusable("There is no cache: cache-strategy is off or no Redis is configured.")
    try:
        await cache.forget(terms)
    except CacheFailure as failure:
        raise CacheUnusable(f"Redis did not take it: {failure}") from failure


def _terms(told: dict[str, Any]) -> tuple[str, ...]:
    """`{"tags": [ids], "creators": [ids]}` or `{"all": true}` as terms."""
    if not told or not told.keys() <= {"tags", "creators", "all"}:
        raise InvalidParameter("The body names nothing to invalidate.", parameter="body", allowed=_ALLOWED)
    if told.get("all") is True:
        return (EVERYTHING,)
    terms: list[str] = []
    for name, field in (("tags", "tag"), ("creators", "creator")):
        ids = told.get(name, [])
        if not isinstance(ids, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in ids):
            raise InvalidParameter(f"{name} is not a list of ids.", parameter=name, allowed=_ALLOWED)
        terms += (f"{field}:{number}" for number in ids)
    if not 0 < len(terms) <= _MOST:
        raise InvalidParameter(f"{len(terms)} things to invalidate.", parameter="body", allowed=f"1 to {_MOST}")
    return tuple(terms)


_ALLOWED = '{"tags": [ids], "creators": [ids]} or {"all": true}'
