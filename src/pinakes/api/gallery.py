"""`GET /api/v1/content/unified`: the hot route.

A plain Starlette route that reads the raw query string itself and stays clear of per-request
validation machinery; its documentation comes from the same table of parameters. The body comes
finished from the service, out of the cache or fresh from the engine; here it only gets its headers.

    X-Cache   HIT, MISS, STALE (right a moment ago), BYPASS (asked for), DEGRADED (no cache to ask)
    Age       seconds since the answer was computed
    ETag      what the answer says; its age and how it came about do not count
    Server-Timing  where it comes from, and where the time went if it was computed

`use_cache=false` and `Cache-Control: no-store` keep out of the cache altogether, `no-cache` and
`max-age=0` have the answer computed and kept, `max-age=N` takes none that is older. `engine=…` asks one
engine, `explain=true` tells what the answer took; both go past the cache, and only administrators may.
"""

from __future__ import annotations

import re
from typing import cast
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.auth import ADMIN, Identity
from pinakes.api.params import MEMO_BYTES
from pinakes.api.state import identity_of, state_of
from pinakes.cache.answer import Answer
from pinakes.cache.reader import ANY, Freshness
from pinakes.cache.splice import Encoding, negotiate
from pinakes.cache.stats import ALL
from pinakes.engines.choice import EngineName
from pinakes.errors import Forbidden, NotAuthenticated
from pinakes.memory import remembered
from pinakes.query.aspect import Aspect, PageWithFacets
from pinakes.query.gallery_query import GalleryQuery

PATH = "/api/v1/content/unified"

_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,9})")
_NO_CACHE = Freshness(renew=True)
_NO_STORE = Freshness(use_cache=False)
_WITH_FACETS = PageWithFacets()
_negotiate = remembered("encodings", 2**18)(negotiate)


async def unified(request: Request) -> Response:
    """One page of the unified gallery."""
    state = state_of(request)
    identity = identity_of(request)
    raw: bytes = request.scope["query_string"]
    query = state.parser.parse(raw, identity.user_id)
    odd = b"%" in raw
    engine = _told(raw, "engine") if odd or b"engine" in raw else None
    with_facets = (odd or b"include_facets" in raw) and _told(raw, "include_facets") == "true"
    aspect = _WITH_FACETS if with_facets else None
    explain = (odd or b"explain" in raw) and _told(raw, "explain") == "true"
    return await answered(request, identity, query, engine=engine, aspect=aspect, explain=explain)


async def answered(
    request: Request,
    identity: Identity,
    query: GalleryQuery,
    *,
    aspect: Aspect | None,
    engine: str | None = None,
    explain: bool = False,
) -> Response:
    """The answer to `query`, from the cache or the engine, as the request's headers have it.

    Raises:
        NotAuthenticated, Forbidden: an engine is named, or an explanation asked for, by nobody known, or by somebody
            who is no administrator.
    """
    service = state_of(request).service
    headers = request.headers
    admin = ADMIN in identity.scopes
    if (engine is not None or explain) and not admin:
        what, name = ("Choosing the engine", "engine") if engine is not None else ("An explanation", "explain")
        if identity.user_id is None:
            raise NotAuthenticated(f"{what} needs a bearer token.", parameter=name)
        raise Forbidden(f"{what} needs the scope {ADMIN}.", parameter=name, allowed=[ADMIN])
    freshness = _freshness(request.scope["query_string"], headers.get("cache-control", ""))
    answer = await service.answer(
        query, freshness, engine=cast("EngineName | None", engine), aspect=aspect, explain=explain
    )
    if aspect is None:
        state_of(request).audit.consider(query, answer)
    encoding = _negotiate(headers.get("accept-encoding", ""))
    wanted = headers.get("if-none-match")
    if wanted is not None and _matches(wanted, answer.etag):
        if service.cache is not None:
            service.cache.counters.count("not_modified", ALL)
        return Finished(b"", 304, _headers(answer, None, fine=admin))
    return Finished(answer.body(encoding), 200, _headers(answer, encoding, fine=admin))


class Finished(Response):
    """A response whose body and headers are ready to be sent."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = headers
        if status != 304:
            headers.append((b"content-length", b"%d" % len(body)))


def _headers(answer: Answer, encoding: Encoding | None, *, fine: bool) -> list[tuple[bytes, bytes]]:
    """Answers differ by who asks and change at any time, so they may be kept but must be asked about."""
    headers = [
        (b"etag", answer.etag.encode()),
        (b"x-cache", answer.x_cache.encode()),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"authorization, accept-encoding"),
        (b"server-timing", answer.server_timing(fine=fine).encode()),
    ]
    if answer.from_cache:
        headers.append((b"age", b"%d" % answer.entry.age_s(answer.now_ms)))
    if encoding is not None:
        headers.append((b"content-type", b"application/json"))
        if encoding != "identity":
            headers.append((b"content-encoding", encoding.encode()))
    return headers


def _freshness(raw: bytes, cache_control: str) -> Freshness:
    """What the request demands of the cache."""
    if (b"use_cache" in raw or b"%" in raw) and _told(raw, "use_cache") == "false":
        return _NO_STORE
    if not cache_control:
        return ANY
    told = cache_control.lower()
    if "no-store" in told:
        return _NO_STORE
    age = _MAX_AGE.search(told)
    if "no-cache" in told or (age and int(age[1]) == 0):
        return _NO_CACHE
    return Freshness(max_age_s=int(age[1])) if age else ANY


def _told(raw: bytes, name: str) -> str | None:
    """What the query string, known to be good, says of a parameter that is not part of the question."""
    return _remembered(raw, name) if len(raw) <= MEMO_BYTES else _read(raw, name)


def _read(raw: bytes, name: str) -> str | None:
    return dict(parse_qsl(raw.decode("latin-1"))).get(name)


_remembered = remembered("parameters", 2**21)(_read)


def _matches(wanted: str, etag: str) -> bool:
    """Whether `If-None-Match` names `etag`; compared weakly, as for a GET it must be."""
    if wanted.strip() == "*":
        return True
    return any(part.strip().removeprefix("W/") == etag[2:] for part in wanted.split(","))
