"""Bodies of requests: JSON objects, and questions too long for an address.

`received` reads every body, of the API and of the pages: up to `max-body-bytes`, for `body-timeout-seconds`, and after
`GRACE_S` no slower than `least-bytes-per-second`. Of a longer one some more is read and thrown
away, because who is still sending when the answer comes and the connection ends sees a broken connection. Who still
sends is not counted among the requests being worked on (`limits.Gate`); the bytes of all bodies that are held at a
time are bounded by `max-bodies-bytes`.

A question may be asked by POST as a form (`application/x-www-form-urlencoded`): its fields are the parameters
of the same route's GET, and count together with those in the address. The web server refuses an address of
65,535 bytes by itself; a form is as long as `max-query-bytes` allows, and what is wrong with a longer one is told.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from pinakes.api import params
from pinakes.api.limits import gate_of
from pinakes.api.parameters import Parameter
from pinakes.api.state import state_of
from pinakes.errors import BodyTooLarge, BodyTooSlow, BodyUnreadable, InvalidJson, WrongMediaType
from pinakes.settings import Settings
from pinakes.store import stored_json

FORM = "application/x-www-form-urlencoded"
GRACE_S = 5.0
_THROWN_AWAY = 16 << 20
_PIECES, _PIECE = 1000, 64
"""After so many pieces they must be so many bytes long, in the mean: each costs some 50 µs, however short."""


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        BodyTooLarge, BodyTooSlow, Overloaded: it is over a bound of the settings.
        WrongMediaType, BodyUnreadable: it is compressed, or broken.
        InvalidJson: it is no JSON object.
    """
    try:
        body = (await received(request, state_of(request).settings.max_body_bytes))[0]
        value = stored_json.exact(body, orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidJson("The body is JSON, but no object.")
    return value


async def read_form(request: Request, table: tuple[Parameter, ...]) -> bytes:
    """The form in the body, which may have the parameters of `table`, still encoded; empty where there is no body.

    Anybody may ask, so no more of it is held than a question may be long.

    Raises:
        BodyTooLarge, BodyTooSlow, Overloaded: it is over a bound of the settings.
        WrongMediaType, BodyUnreadable: it is something else than a form, or broken.
        TooManyTerms: it is longer than a question may be.
    """
    settings = state_of(request).settings
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form, length = await received(request, settings.max_query_bytes)
    if kind != FORM and (kind or form):
        raise WrongMediaType(f"A question in a body is a form, not {kind[:100] or 'without a type'}.", allowed=FORM)
    if length > len(form):
        raise params.too_long(form, length, table, settings)
    return form


async def received(request: Request, keep: int) -> tuple[bytes, int]:
    """The first `keep` bytes of the body, and how long it is.

    Raises:
        WrongMediaType: it is compressed.
        BodyTooLarge, BodyTooSlow: it is over a bound of the settings.
        BodyUnreadable: it ends before its end, is not framed as HTTP wants it, or comes in crumbs.
        Overloaded: too many bodies are held, or too many requests worked on when it is here.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        detail = f"Content-Encoding {coding[:40]} is not taken; send the body as it is."
        raise WrongMediaType(detail, allowed="Content-Encoding identity")
    settings = state_of(request).settings
    most = settings.max_body_bytes
    gate = gate_of(request.scope)
    body, length, pieces = bytearray(), 0, 0
    began = asyncio.get_running_loop().time()
    limit = asyncio.timeout(allowed_s(settings, 0))
    try:
        async with gate.outside(request.scope), limit:
            async for piece in request.stream():
                length += len(piece)
                pieces += 1
                kept = piece[: keep - len(body)]
                gate.hold(request.scope, len(kept))
                body += kept
                if length > most + _THROWN_AWAY:
                    break
                if pieces > _PIECES and length < pieces * _PIECE:
                    raise BodyUnreadable(f"The body comes in pieces of {length / pieces:.0f} bytes.")
                limit.reschedule(began + allowed_s(settings, length))
    except TimeoutError as error:
        raise BodyTooSlow from error
    except ClientDisconnect as error:
        raise BodyUnreadable("The body ends before its end, or its chunks are not as HTTP wants them.") from error
    if length > most:
        raise BodyTooLarge(allowed=f"at most {most:,} bytes")
    return bytes(body), length


def allowed_s(settings: Settings, length: int) -> float:
    """How long a body of which `length` bytes are here may have taken."""
    if not settings.least_bytes_per_second:
        return settings.body_timeout_seconds
    return min(settings.body_timeout_seconds, GRACE_S + length / settings.least_bytes_per_second)
